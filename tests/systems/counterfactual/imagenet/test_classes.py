from icm_jax.systems.counterfactual.imagenet import classes


def test_indices_are_read_from_text():
    assert classes.parse_indices("3,7-9,1").tolist() == [3, 7, 8, 9, 1]


def test_the_categories_of_cue_conflict():
    found = classes.cue_conflict()
    assert list(found) == sorted(found) and len(found) == 16
    counts = {name: len(indices) for name, indices in found.items()}
    assert counts["dog"] == 109 and counts["bird"] == 49 and counts["truck"] == 8
    everything = [i for indices in found.values() for i in indices]
    assert len(set(everything)) == len(everything) == 207
    assert found["knife"].tolist() == [499] and 281 in found["cat"]


def test_the_classes_of_in9_have_the_published_numbers():
    mapped = classes.to_in9()
    # Table 4 of Xiao et al.: dog, bird, vehicle, reptile, carnivore, insect, ...
    published = [116, 52, 42, 36, 35, 27, 26, 20, 16]
    assert [int((mapped == label).sum()) for label in range(9)] == published
    assert (mapped == -1).sum() == 630 and len(classes.in9()) == 9
    # Tabby is none of them; a Persian cat is not either; a cougar is a carnivore, a dingo too.
    assert mapped[[281, 283, 286, 273]].tolist() == [-1, -1, 4, 4]
