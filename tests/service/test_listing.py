"""GET /jobs: the caller's jobs, newest first, in pages that hold whatever happens meanwhile."""

from urllib.parse import urlsplit

import pytest


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["jobs"]]


@pytest.fixture
def made(served):
    return [served.job(served.encode(stride=str(n))) for n in range(1, 8)]


def test_jobs_are_listed_newest_first_as_each_is_told_alone(served, made):
    listed = served.http.get("/jobs")
    assert ids(listed) == made[::-1]
    assert listed.json()["cursor"] is None
    assert listed.json()["jobs"][0] == served.http.get(f"/jobs/{made[-1]}").json()


def test_pages_hold_every_job_once_though_others_come_and_go(served, made):
    first = served.http.get("/jobs?limit=3")
    assert ids(first) == made[:3:-1]
    served.job(served.encode(stride="100"))
    served.http.delete(f"/jobs/{made[0]}?purge=true")
    rest = served.http.get("/jobs", params={"limit": 3, "cursor": first.json()["cursor"]})
    assert ids(rest) == made[3:0:-1]
    assert rest.json()["cursor"] is None


def test_a_last_page_that_is_just_full_is_the_last(served, made):
    assert served.http.get("/jobs?limit=7").json()["cursor"] is None
    assert served.http.get("/jobs?limit=6").json()["cursor"] is not None


def test_the_link_leads_to_the_next_page(served, made):
    answer = served.http.get("/jobs?limit=5&kind=encode")
    link = answer.links["next"]["url"]
    assert urlsplit(link).path == "/jobs"
    assert ids(served.http.get(link)) == made[1::-1]


def test_jobs_made_in_the_same_instant_are_not_lost_between_pages(served, made):
    key = "twofold:jobs:local"
    served.store.redis.zadd(key, dict.fromkeys(made, 1_000_000))
    seen, cursor = [], None
    while True:
        answer = served.http.get("/jobs", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        seen += ids(answer)
        cursor = answer.json()["cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(made)


def test_lists_of_one_status_or_kind(served, made):
    served.work(made[2])
    grid = served.job(served.http.get("/latent-grid?seed=1&wait=0"))
    assert ids(served.http.get("/jobs?status=succeeded")) == [made[2]]
    assert ids(served.http.get("/jobs?kind=latent-grid")) == [grid]
    assert ids(served.http.get("/jobs?kind=latent-grid&status=failed")) == []


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=1-2", "status=done", "kind=x"]
)
def test_what_no_list_has_is_422(served, query):
    answer = served.http.get(f"/jobs?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == query.split("=")[0]


def test_expired_jobs_are_not_listed_and_their_entries_go(make_served):
    from jobs.listing import trim

    served = make_served(result_ttl=1)
    gone = served.finished_encode()
    served.store.redis.delete(f"twofold:job:{gone}")
    kept = served.job(served.encode(stride="2"))
    assert ids(served.http.get("/jobs")) == [kept]
    assert trim(served.store.redis) == 1
    assert served.store.redis.zcard("twofold:jobs:local") == 1
