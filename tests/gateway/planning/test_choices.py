"""The search over walks: what it finds, and when it stops."""

from __future__ import annotations

from gateway.planning.choices import Choices, Cost, DeadEnd, Search


def test_a_walk_without_questions_is_walked_once() -> None:
    search = Search(lambda choices: ((1, 1, choices.pick(1)), "only"), walks_max=10, work_max=1000)
    assert (search.run(), search.walks, search.truncated) == ("only", 1, False)


def test_deviations_that_cost_less_are_kept_and_built_on() -> None:
    def walk(choices: Choices) -> tuple[Cost, tuple[int, ...]]:
        answers = tuple(choices.pick(3) for _ in range(3))
        return (1, sum(abs(answer - 2) for answer in answers), 0), answers

    assert Search(walk, walks_max=100, work_max=1000).run() == (2, 2, 2)


def test_the_budget_ends_the_search_with_the_best_so_far() -> None:
    def walk(choices: Choices) -> tuple[Cost, int]:
        answer = choices.pick(50)
        return (1, 50 - answer, 0), answer

    search = Search(walk, walks_max=5, work_max=1000)
    assert (search.run(), search.truncated) == (4, True)


def test_a_dead_end_is_walked_around() -> None:
    def walk(choices: Choices) -> tuple[Cost, int]:
        answer = choices.pick(3)
        if answer < 2:
            raise DeadEnd("no way")
        return (1, 1, 0), answer

    assert Search(walk, walks_max=10, work_max=1000).run() == 2


def test_nothing_but_dead_ends_says_which_was_first() -> None:
    def walk(choices: Choices) -> tuple[Cost, int]:
        raise DeadEnd(f"after {choices.pick(2)}")

    search = Search(walk, walks_max=10, work_max=1000)
    assert search.run() is None
    assert search.dead_end == "after 0"


def test_fewer_rounds_count_before_fewer_fetches() -> None:
    def walk(choices: Choices) -> tuple[Cost, str]:
        return ((3, 3, 0), "deep") if choices.pick(2) == 0 else ((2, 4, 0), "flat")

    assert Search(walk, walks_max=10, work_max=1000).run() == "flat"


def test_the_work_of_walks_bounds_the_search_once_one_has_arrived() -> None:
    def walk(choices: Choices) -> tuple[Cost, int]:
        choices.work += 10
        if choices.pick(4) < 2:
            raise DeadEnd("not this way")
        return (choices.pick(3), 0, 0), 7

    search = Search(walk, walks_max=100, work_max=1)
    assert search.run() == 7
    assert (search.walks, search.truncated) == (3, True)
