"""BFCL's posts."""

from __future__ import annotations

from typing import Any

import pytest

from bai.errors import ToolFault

SETUP = {
    "username": "ann",
    "password": "secret",
    "tweet_counter": 7,
    "tweets": {"3": {"id": 3, "username": "ben", "content": "Hello World", "tags": [], "mentions": []}},
    "following_list": ["ben"],
}


def test_what_is_posted_can_be_read(start: Any) -> None:
    """Ids go on from the setup's counter; posts are found by id, by user and by word."""
    call = start("bfcl_posting", {**SETUP, "authenticated": True})[1]
    posted = call("post_tweet", content="my world", tags=["#a"], mentions=["@ben"])
    assert posted == {"id": 7, "username": "ann", "content": "my world", "tags": ["#a"], "mentions": ["@ben"]}
    assert call("get_tweet", tweet_id=7) == posted
    assert call("get_user_tweets", username="ann") == {"user_tweets": [posted]}
    assert [tweet["id"] for tweet in call("search_tweets", keyword="WORLD")["matching_tweets"]] == [3, 7]
    assert call("post_tweet", content="plain")["id"] == 8


def test_comments_retweets_and_mentions_belong_to_a_post(start: Any) -> None:
    """Each mention and each retweet once; all are counted."""
    call = start("bfcl_posting", {**SETUP, "authenticated": True})[1]
    call("comment", tweet_id=3, comment_content="nice")
    assert call("get_tweet_comments", tweet_id=3) == {"comments": [{"username": "ann", "content": "nice"}]}
    assert call("retweet", tweet_id=3) != call("retweet", tweet_id=3)
    call("mention", tweet_id=3, mentioned_usernames=["@x", "@x", "@y"])
    assert call("get_tweet", tweet_id=3)["mentions"] == ["@x", "@y"]
    assert call("get_user_stats", username="ann") == {"tweet_count": 0, "following_count": 1, "retweet_count": 1}
    for tool in ("get_tweet", "retweet", "get_tweet_comments"):
        with pytest.raises(ToolFault, match="no tweet 99"):
            call(tool, tweet_id=99)


def test_following_is_told_as_it_changes(start: Any) -> None:
    """False where nothing changed."""
    call = start("bfcl_posting", {**SETUP, "authenticated": True})[1]
    assert [call("follow_user", username_to_follow=name)["follow_status"] for name in ("cid", "ben")] == [True, False]
    assert call("list_all_following") == {"following_list": ["ben", "cid"]}
    gone = [call("unfollow_user", username_to_unfollow=name)["unfollow_status"] for name in ("cid", "cid")]
    assert gone == [True, False]


def test_writing_needs_a_login_and_reading_does_not(start: Any) -> None:
    """The right password opens the account; a wrong one later does not close it."""
    call = start("bfcl_posting", SETUP)[1]
    assert call("get_tweet", tweet_id=3)["username"] == "ben"
    with pytest.raises(ToolFault, match="logged in"):
        call("post_tweet", content="x")
    wrong = {"username": "ann", "password": "guess"}
    assert call("authenticate_twitter", **wrong) == {"authentication_status": False}
    assert call("posting_get_login_status") == {"login_status": False}
    assert call("authenticate_twitter", username="ann", password="secret") == {"authentication_status": True}
    assert call("authenticate_twitter", **wrong) == {"authentication_status": False}
    assert call("posting_get_login_status") == {"login_status": True}
