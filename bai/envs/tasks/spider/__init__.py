"""Spider: questions about databases, answered in SQL."""

from bai.envs.tasks.spider.task_set import load_spider

__all__ = ["load_spider"]
