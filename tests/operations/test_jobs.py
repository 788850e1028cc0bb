"""Jobs: so many at once, stopped and ended, and what is told of them, by a hand-wound clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mirror.errors import NotFound, OriginError, Unavailable
from mirror.operations.jobs import AT_ONCE, ENDED, FAILURES, WAITING, Job, Jobs
from tests.conftest import Halt
from tests.instruments.clock import Clock, eventually


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def jobs(clock: Clock) -> AsyncIterator[Jobs]:
    jobs = Jobs(clock)
    yield jobs
    await jobs.close()


async def nothing(_job: Job) -> dict[str, Any]:
    return {}


async def test_a_job_runs_beside_its_caller_and_tells_its_result(jobs: Jobs, clock: Clock) -> None:
    halt = Halt()

    async def work(job: Job) -> dict[str, Any]:
        job.done, job.bytes, job.current = 3, 4096, "/o/a"
        await halt()
        return {"purged": 3}

    job = jobs.start("purge", work, total=7)
    await halt.reached.wait()
    assert (job.state, job.done, job.total, job.bytes, job.current) == ("running", 3, 7, 4096, "/o/a")
    assert (job.began, job.ended, job.result) == (clock.now, None, None)
    began = clock.now
    clock.wind(5)
    halt.over.set()
    await eventually(lambda: job.state == "done")
    assert (job.began, job.ended, job.result, job.current) == (began, clock.now, {"purged": 3}, "")
    assert jobs.get(job.id) is job


async def test_some_run_at_once_and_the_others_wait_for_their_turn(jobs: Jobs, clock: Clock) -> None:
    halts = [Halt() for _ in range(AT_ONCE + 2)]

    def work(number: int) -> Any:
        async def waits(_job: Job) -> dict[str, Any]:
            await halts[number]()
            return {}

        return waits

    begun = [jobs.start("warm", work(number)) for number in range(AT_ONCE + 2)]
    for halt in halts[:AT_ONCE]:
        await halt.reached.wait()
    assert [job.current for job in begun[-2:]] == ["waits for its turn"] * 2
    assert not halts[AT_ONCE].reached.is_set()
    clock.wind(60)
    halts[2].over.set()
    await halts[AT_ONCE].reached.wait()
    assert not halts[AT_ONCE + 1].reached.is_set()
    assert begun[AT_ONCE].began == clock.now  # and not when it was asked for


async def test_no_more_than_a_bounded_number_wait(jobs: Jobs) -> None:
    halt = Halt()

    async def waits(_job: Job) -> dict[str, Any]:
        await halt()
        return {}

    for _ in range(AT_ONCE + WAITING):
        jobs.start("warm", waits)
    with pytest.raises(Unavailable, match=f"{WAITING} jobs wait"):
        jobs.start("warm", waits)


async def test_the_last_that_ended_are_remembered_newest_first(jobs: Jobs) -> None:
    begun = []
    for _ in range(ENDED + 3):
        begun.append(job := jobs.start("refresh", nothing))
        await eventually(lambda job=job: job.state == "done")
    assert jobs.list() == [*reversed(begun[3:])]
    with pytest.raises(NotFound, match=begun[0].id):
        jobs.get(begun[0].id)


async def test_an_error_of_ours_says_why_a_job_failed(jobs: Jobs) -> None:
    async def fails(_job: Job) -> dict[str, Any]:
        raise OriginError("it is down")

    job = jobs.start("warm", fails)
    await eventually(lambda: job.ended is not None)
    assert (job.state, job.error) == ("failed", "it is down")


async def test_any_other_error_is_logged_and_told_as_our_own(jobs: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    async def fails(_job: Job) -> dict[str, Any]:
        raise ValueError("a secret")

    job = jobs.start("warm", fails)
    await eventually(lambda: job.ended is not None)
    assert job.state == "failed"
    assert "secret" not in job.error
    assert job.id in caplog.text


async def test_a_stopped_job_ends_where_it_is_and_keeps_what_it_did(jobs: Jobs) -> None:
    halt = Halt()

    async def work(job: Job) -> dict[str, Any]:
        job.done = 5
        await halt()
        return {}

    job = jobs.start("purge", work)
    await halt.reached.wait()
    assert await jobs.stop(job.id) is job
    assert (job.state, job.done, job.result) == ("stopped", 5, None)
    assert (await jobs.stop(job.id)).state == "stopped"  # again: nothing more


async def test_a_job_that_waits_or_has_not_taken_its_first_step_can_be_stopped(jobs: Jobs) -> None:
    halt, stepped = Halt(), []

    async def waits(job: Job) -> dict[str, Any]:
        stepped.append(job)
        await halt()
        return {}

    begun = [jobs.start("purge", waits) for _ in range(AT_ONCE + 1)]
    for job in (begun[-1], *begun[:-1]):
        assert (await jobs.stop(job.id)).state == "stopped"
    assert begun[-1] not in stepped  # it waited
    assert begun[0] not in stepped  # it was to begin
    again = jobs.start("purge", nothing)
    await eventually(lambda: again.state == "done")  # their places are free


async def test_the_end_of_the_server_stops_all_and_lets_none_begin() -> None:
    jobs, halt = Jobs(Clock()), Halt()

    async def waits(_job: Job) -> dict[str, Any]:
        await halt()
        return {}

    begun = [jobs.start("purge", waits) for _ in range(AT_ONCE + 2)]
    await halt.reached.wait()
    await jobs.close()
    assert {job.state for job in begun} == {"stopped"}
    with pytest.raises(Unavailable, match="about to end"):
        jobs.start("purge", waits)


async def test_only_the_first_failures_are_named(jobs: Jobs) -> None:
    async def work(job: Job) -> dict[str, Any]:
        for number in range(FAILURES + 5):
            job.fail(f"/o/{number}", "gone")
        return {}

    job = jobs.start("warm", work)
    await eventually(lambda: job.state == "done")
    assert (job.failed, len(job.failures), job.failures[0]) == (FAILURES + 5, FAILURES, ("/o/0", "gone"))


async def test_an_unknown_job_is_not_found(jobs: Jobs) -> None:
    with pytest.raises(NotFound):
        jobs.get("nope")
    with pytest.raises(NotFound):
        await jobs.stop("nope")
