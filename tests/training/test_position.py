from training import toy

from icm_jax.training.position import Position, last_phase


def test_phases_left():
    system = toy.system()
    position = Position.first(system)
    assert position.left(system) == [0, 1]
    position.ended = True
    assert position.left(system) == [1]
    position.enter(1)
    assert position.left(system) == [1]
    position.ended = True
    assert position.left(system) == []


def test_phases_without_steps_are_not_left():
    assert Position.first(toy.system(steps=(0, 3))).left(toy.system(steps=(0, 3))) == [1]
    assert last_phase(toy.system(steps=(3, 0))) == 0
    assert last_phase(toy.system(steps=(0, 0))) == 0
    assert last_phase(toy.system()) == 1


def test_total_counts_all_phases():
    position = Position.first(toy.system())
    position.phases["warmup"]["steps"], position.phases["fit"]["steps"] = 13, 4
    assert position.total == 17
