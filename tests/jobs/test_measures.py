"""What work costs, summed over jobs and workers."""

from collections import Counter

from jobs.measures import BATCHES, STAGE_SECONDS, AllWork, Work, add_work, read_work


def test_what_two_attempts_cost_is_added_up(store):
    assert read_work(store.redis) == AllWork()
    first = Work({"decode": 0.3, "forward": 1.5}, {"decode": 10, "forward": 20}, {"decode": 0.2}, Counter({8: 2, 4: 1}))
    add_work(store.redis, "encode", first)
    add_work(store.redis, "encode", Work({"decode": 2000.0}, {"decode": 5}, {"decode": 0.5}, Counter({5000: 1})))
    add_work(store.redis, "swap", Work({"decode": 0.1}))
    told = read_work(store.redis)
    assert told.frames == {"decode": 15, "forward": 20}
    assert told.busy == {"decode": 0.7}
    decode = told.stages["encode", "decode"]
    assert decode.sum == 2000.3
    rising = dict(decode.rising(STAGE_SECONDS))
    assert (rising["0.25"], rising["0.5"], rising["900"], rising["+Inf"]) == (0, 1, 1, 2)
    assert told.stages["swap", "decode"].sum == 0.1
    batches = dict(told.batches.rising(BATCHES))
    assert (batches["2"], batches["4"], batches["8"], batches["1024"], batches["+Inf"]) == (0, 1, 3, 3, 4)
    assert told.batches.sum == 5020


def test_a_value_on_a_bound_belongs_to_it(store):
    add_work(store.redis, "encode", Work({"load": 0.01}, batches=Counter({64: 1})))
    told = read_work(store.redis)
    assert dict(told.stages["encode", "load"].rising(STAGE_SECONDS))["0.01"] == 1
    assert dict(told.batches.rising(BATCHES))["64"] == 1
    assert dict(told.batches.rising(BATCHES))["32"] == 0
