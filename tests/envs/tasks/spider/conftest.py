"""A dump of two small databases; and queries made wrong on purpose, each in one thing, at a place that a seed draws."""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from bai.envs.tasks.spider.dump import scripts

DUMP = """-- MySQL dump 10.13
CREATE USER 'a'@'%' IDENTIFIED BY 'b';
CREATE DATABASE IF NOT EXISTS `shop` /*!40100 DEFAULT CHARACTER SET utf8mb4 */;
USE `shop`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
DROP TABLE IF EXISTS `item`;
CREATE TABLE `item` (
  `id` int NOT NULL AUTO_INCREMENT,
  `Name` varchar(20) COLLATE utf8mb4_general_ci NOT NULL DEFAULT '',
  `price` decimal(19,4) DEFAULT NULL,
  `made in` text COLLATE utf8mb4_bin,
  `sold` double DEFAULT '0.0',
  PRIMARY KEY (`id`),
  UNIQUE KEY `u` (`Name`),
  KEY `k` (`price`),
  CONSTRAINT `f` FOREIGN KEY (`made in`) REFERENCES `country` (`code`)
) ENGINE=InnoDB AUTO_INCREMENT=9 DEFAULT CHARSET=utf8mb4;
LOCK TABLES `item` WRITE;
INSERT INTO `item` VALUES (1,'It\\'s; a \\"cup\\"',2.5000,'DE',1);
INSERT INTO `item` VALUES (2,'plate',NULL,'FR',2.5),(3,'Bowl',4,'DE',1e3),(4,'jug',4,NULL,NULL);
UNLOCK TABLES;
USE `other`;
CREATE TABLE `item` (`id` int);
"""
"""What ``mysqldump`` writes, with a user before it."""


@pytest.fixture
def dump() -> str:
    return DUMP


@pytest.fixture
def shop() -> Iterator[sqlite3.Connection]:
    """The first database of the dump."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in scripts(DUMP)["shop"]:
            connection.execute(statement)
        yield connection


@pytest.fixture
def mutants() -> Callable[[str, int, int], list[str]]:
    """Gives wrong versions of a query: ``mutants(query, seed, most)``."""
    return wrong_versions


Change = Callable[[re.Match[str]], str]
_MIRROR = {"<": ">=", ">": "<=", "<=": ">", ">=": "<", "=": "!=", "!=": "=", "<>": "="}
_AGGREGATES = ("count", "sum", "avg", "max", "min")


def _other_aggregate(found: re.Match[str]) -> str:
    others = [name for name in _AGGREGATES if name != found[1].lower()]
    return f"{others[len(found[0]) % len(others)]}({found[2]}"


KINDS: dict[str, tuple[str, Change]] = {
    "constant": (r"\b\d+\b(?!\s*\.)", lambda found: str(int(found[0]) + 1)),
    "text": (r"'([^']+)'", lambda found: f"'{found[1]}x'"),
    "operator": (r"<>|!=|<=|>=|<|>|=", lambda found: _MIRROR[found[0]]),
    "connective": (r"\bAND\b|\bOR\b", lambda found: "OR" if found[0].upper() == "AND" else "AND"),
    "direction": (r"\bDESC\b|\bASC\b", lambda found: "ASC" if found[0].upper() == "DESC" else "DESC"),
    "aggregate": (r"\b(count|sum|avg|max|min)\s*\(\s*([\w.]+)(?=\s*\))", _other_aggregate),
    "distinct dropped": (r"\bDISTINCT\b", lambda found: ""),
    "distinct added": (r"\ASELECT\b(?!\s+DISTINCT)", lambda found: "SELECT DISTINCT"),
    "condition dropped": (
        r"\bWHERE\b.*?(?=\bGROUP\b|\bORDER\b|\bUNION\b|\bINTERSECT\b|\bEXCEPT\b|\)|\Z)",
        lambda _: "",
    ),
    "having dropped": (r"\bHAVING\b.*?(?=\bORDER\b|\bUNION\b|\bINTERSECT\b|\bEXCEPT\b|\)|\Z)", lambda found: ""),
    "grouping dropped": (r"\bGROUP BY\b\s+[\w.]+(\s*,\s*[\w.]+)*", lambda found: ""),
    "column dropped": (r"\ASELECT\s+[\w.]+\s*,", lambda found: "SELECT"),
    "column added": (r"\ASELECT\b(?!\s+DISTINCT)", lambda found: "SELECT 1 ,"),
    "order dropped": (r"\bORDER BY\b.*\Z", lambda found: ""),
    "limit": (r"\bLIMIT\s+\d+", lambda found: ""),
    "set operation": (r"\bINTERSECT\b|\bEXCEPT\b|\bUNION\b", lambda found: _other_set(found[0])),
    "negation": (r"\bNOT IN\b|\bNOT LIKE\b|\bIN\b|\bLIKE\b", lambda found: _other_sign(found[0])),
    "pattern": (r"%", lambda found: ""),
}
"""Kind of mistake -> where it can be made, and what is put there."""


def _other_set(word: str) -> str:
    return "EXCEPT" if word.upper() != "EXCEPT" else "INTERSECT"


def _other_sign(words: str) -> str:
    return words[4:] if words.upper().startswith("NOT") else f"NOT {words}"


def wrong_versions(query: str, seed: int, most: int) -> list[str]:
    """Gives up to ``most`` wrong versions of a query, each of another kind."""
    rng = random.Random(seed)
    made: list[str] = []
    for kind in rng.sample(sorted(KINDS), len(KINDS)):
        pattern, change = KINDS[kind]
        places = list(re.finditer(pattern, query, re.IGNORECASE | re.DOTALL))
        if places and len(made) < most:
            place = rng.choice(places)
            made.append(query[: place.start()] + change(place) + query[place.end() :])
    return made
