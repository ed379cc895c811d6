"""Networks of counterfactual generation: mechanisms, discriminators, features, classifiers."""
