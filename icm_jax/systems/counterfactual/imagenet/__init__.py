"""Counterfactual generation at ImageNet's scale: four BigGANs, a U²-Net, an ensemble of heads."""
