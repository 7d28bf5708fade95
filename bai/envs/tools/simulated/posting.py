"""A network of short posts (BFCL's TwitterAPI, also called PostingAPI)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from bai.envs.tools.simulated.base import SimulatedApi, tool
from bai.errors import ToolFault

__all__ = ["PostingApi"]


class PostingApi(SimulatedApi):
    """One account. Posting, commenting, retweeting, mentioning and following need it to be logged in; reading does not.

    The next post's id is ``tweet_counter``. A failed login leaves a session that is open open.
    """

    DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "username": "john",
        "password": "john1234",
        "authenticated": False,
        "tweets": {},
        "comments": {},
        "retweets": {},
        "following_list": [],
        "tweet_counter": 0,
    }

    @tool
    def authenticate_twitter(self, username: str, password: str) -> Any:
        """Logs the account in."""
        right = (username, password) == (self.state["username"], self.state["password"])
        self.state["authenticated"] |= right
        return {"authentication_status": right}

    @tool
    def posting_get_login_status(self) -> Any:
        """Says whether the account is logged in."""
        return {"login_status": bool(self.state["authenticated"])}

    @tool
    def post_tweet(self, content: str, tags: list[str] = [], mentions: list[str] = []) -> Any:  # noqa: B006 - a copy
        """Posts a tweet."""
        name, number = self._me(), self.state["tweet_counter"]
        tweet = {"id": number, "username": name, "content": content, "tags": list(tags), "mentions": list(mentions)}
        self.state["tweets"][str(number)] = tweet
        self.state["tweet_counter"] += 1
        return tweet

    @tool
    def retweet(self, tweet_id: int) -> Any:
        """Retweets a tweet."""
        mine = self.state["retweets"].setdefault(self._me(), [])
        self._tweet(tweet_id)
        if tweet_id in mine:
            return {"retweet_status": "Already retweeted"}
        mine.append(tweet_id)
        return {"retweet_status": "Successfully retweeted"}

    @tool
    def comment(self, tweet_id: int, comment_content: str) -> Any:
        """Comments on a tweet."""
        name = self._me()
        self._tweet(tweet_id)
        comments = self.state["comments"].setdefault(str(tweet_id), [])
        comments.append({"username": name, "content": comment_content})
        return {"comment_status": "Comment added"}

    @tool
    def mention(self, tweet_id: int, mentioned_usernames: list[str]) -> Any:
        """Mentions users in a tweet."""
        self._me()
        mentions = self._tweet(tweet_id).setdefault("mentions", [])
        mentions.extend(name for name in dict.fromkeys(mentioned_usernames) if name not in mentions)
        return {"mention_status": "Users mentioned"}

    @tool
    def follow_user(self, username_to_follow: str) -> Any:
        """Follows a user."""
        self._me()
        if username_to_follow in self.state["following_list"]:
            return {"follow_status": False}
        self.state["following_list"].append(username_to_follow)
        return {"follow_status": True}

    @tool
    def unfollow_user(self, username_to_unfollow: str) -> Any:
        """Follows a user no longer."""
        self._me()
        if username_to_unfollow not in self.state["following_list"]:
            return {"unfollow_status": False}
        self.state["following_list"].remove(username_to_unfollow)
        return {"unfollow_status": True}

    @tool
    def list_all_following(self) -> Any:
        """Lists the users that the account follows."""
        self._me()
        return {"following_list": list(self.state["following_list"])}

    @tool
    def get_tweet(self, tweet_id: int) -> Any:
        """Shows a tweet."""
        return self._tweet(tweet_id)

    @tool
    def get_tweet_comments(self, tweet_id: int) -> Any:
        """Shows the comments on a tweet."""
        self._tweet(tweet_id)
        return {"comments": self.state["comments"].get(str(tweet_id), [])}

    @tool
    def get_user_tweets(self, username: str) -> Any:
        """Shows the tweets of a user."""
        return {"user_tweets": self._by(username)}

    @tool
    def search_tweets(self, keyword: str) -> Any:
        """Finds tweets that hold a word, whatever its case."""
        found = [tweet for tweet in self.state["tweets"].values() if keyword.lower() in tweet["content"].lower()]
        return {"matching_tweets": found}

    @tool
    def get_user_stats(self, username: str) -> Any:
        """Counts the tweets and retweets of a user, and whom the user follows."""
        following = len(self.state["following_list"]) if username == self.state["username"] else 0
        retweets = len(self.state["retweets"].get(username, []))
        return {"tweet_count": len(self._by(username)), "following_count": following, "retweet_count": retweets}

    def _me(self) -> str:
        if not self.state["authenticated"]:
            raise ToolFault("the account is not logged in")
        return str(self.state["username"])

    def _by(self, username: str) -> list[dict[str, Any]]:
        return [tweet for tweet in self.state["tweets"].values() if tweet["username"] == username]

    def _tweet(self, tweet_id: int) -> dict[str, Any]:
        if str(tweet_id) not in self.state["tweets"]:
            raise ToolFault(f"there is no tweet {tweet_id}")
        tweet: dict[str, Any] = self.state["tweets"][str(tweet_id)]
        return tweet
