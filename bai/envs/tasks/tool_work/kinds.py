"""The kinds of requests."""

from __future__ import annotations

import random

from bai.envs.tasks.tool_work.request import Kind, Request, command, file_call, query
from bai.envs.tasks.tool_work.words import KEYS, WORDS
from bai.envs.tasks.tool_work.world import World
from bai.envs.tools.base import ToolCall

__all__ = ["KINDS"]


# A database.


def _set(rng: random.Random, world: World) -> Request:
    item, number = rng.choice(list(world.stock)), rng.randint(1, 99)
    world.stock[item] = number
    return Request(
        text=f"set {item} to {number}",
        actions=((query("UPDATE stock SET n = {number} WHERE item = '{item}'", number=number, item=item),),),
    )


def _add(rng: random.Random, world: World) -> Request:
    item, number = world.spare_item(rng), rng.randint(1, 99)
    world.stock[item] = number
    return Request(
        text=f"add {item} with {number}",
        actions=((query("INSERT INTO stock VALUES ('{item}', {number})", item=item, number=number),),),
    )


def _remove(rng: random.Random, world: World) -> Request:
    item = rng.choice(list(world.stock))
    del world.stock[item]
    return Request(text=f"remove {item}", actions=((query("DELETE FROM stock WHERE item = '{item}'", item=item),),))


def _ask_count(rng: random.Random, world: World) -> Request:
    item = rng.choice(list(world.stock))
    number = str(world.stock[item])
    return Request(
        text=f"tell me the n of {item}",
        actions=((query("SELECT n FROM stock WHERE item = '{item}'", item=item),),),
        answer=number,
        said=number,
    )


def _raise_low(rng: random.Random, world: World) -> Request:
    bound, number = rng.randint(20, 80), rng.randint(2, 9)
    world.stock = {item: n + number if n < bound else n for item, n in world.stock.items()}
    return Request(
        text=f"add {number} to every n below {bound}",
        actions=((query("UPDATE stock SET n = n + {number} WHERE n < {bound}", number=number, bound=bound),),),
    )


def _ask_total(rng: random.Random, world: World) -> Request:
    total = str(sum(world.stock.values()))
    return Request(
        text="tell me the sum of all n", actions=((query("SELECT SUM(n) FROM stock"),),), answer=total, said=total
    )


def _sell_low(rng: random.Random, world: World) -> Request:
    bound = rng.randint(20, 80)
    moved = {item: n for item, n in world.stock.items() if n < bound}
    world.sold |= moved
    world.stock = {item: n for item, n in world.stock.items() if item not in moved}
    insert = query(
        "INSERT INTO sold SELECT item, n FROM stock WHERE n < {bound} AND item NOT IN (SELECT item FROM sold)",
        bound=bound,
    )
    return Request(
        text=f"move every item whose n is below {bound} from stock to sold",
        actions=((insert,), (query("DELETE FROM stock WHERE n < {bound}", bound=bound),)),
    )


# Files.


def _write(rng: random.Random, world: World) -> Request:
    path, text = world.spare_file(rng), f"{rng.choice(WORDS)} {rng.randint(1, 99)}"
    world.files[path] = text
    return Request(text=f"write {text} to {path}", actions=((file_call("write_file", path=path, text=text),),))


def _delete(rng: random.Random, world: World) -> Request:
    path = rng.choice(list(world.files))
    del world.files[path]
    return Request(text=f"delete {path}", actions=((file_call("delete_file", path=path),),))


def _rename(rng: random.Random, world: World) -> Request:
    path, to = rng.choice(list(world.files)), world.spare_file(rng)
    world.files[to] = world.files.pop(path)
    return Request(text=f"rename {path} to {to}", actions=((file_call("move_file", path=path, to=to),),))


def _ask_file(rng: random.Random, world: World) -> Request:
    path = rng.choice(list(world.files))
    said = world.files[path].strip()
    return Request(
        text=f"tell me what {path} says", actions=((file_call("read_file", path=path),),), answer=said, said=said
    )


def _copy_file(rng: random.Random, world: World) -> Request:
    path, to = rng.choice(list(world.files)), world.spare_file(rng)
    world.files[to] = world.files[path]
    calls = ((file_call("read_file", path=path),), (file_call("write_file", path=to, text=world.files[path]),))
    return Request(text=f"copy {path} to {to}", actions=calls)


# A key-value server.


def _keep(rng: random.Random, world: World) -> Request:
    key, value = rng.choice(KEYS), rng.choice(WORDS)
    world.keys[key] = value
    return Request(text=f"keep {value} under the key {key}", actions=((command(f"SET {key} {value}"),),))


def _count_up(rng: random.Random, world: World) -> Request:
    numbers = [key for key, value in world.keys.items() if isinstance(value, str) and value.isdigit()]
    if not numbers:
        return _keep(rng, world)
    key, number = rng.choice(numbers), rng.randint(2, 20)
    world.keys[key] = str(int(world.keys[key]) + number)
    return Request(text=f"add {number} to the key {key}", actions=((command(f"INCRBY {key} {number}"),),))


def _drop(rng: random.Random, world: World) -> Request:
    if not world.keys:
        return _keep(rng, world)
    key = rng.choice(list(world.keys))
    del world.keys[key]
    return Request(text=f"drop the key {key}", actions=((command(f"DEL {key}"),),))


def _queue(rng: random.Random, world: World) -> Request:
    key, values = rng.choice([key for key in KEYS if key not in world.keys]), rng.sample(WORDS, 3)
    world.keys[key] = list(values)
    return Request(
        text=f"make the list {key} of {values[0]}, {values[1]}, {values[2]} in this order",
        actions=((command(f"RPUSH {key} {' '.join(values)}"),),),
    )


# From one to another.


def _count_to_file(rng: random.Random, world: World) -> Request:
    item, path = rng.choice(list(world.stock)), world.spare_file(rng)
    world.files[path] = str(world.stock[item])
    calls = (
        (query("SELECT n FROM stock WHERE item = '{item}'", item=item),),
        (file_call("write_file", path=path, text=str(world.stock[item])),),
    )
    return Request(text=f"write the n of {item} to {path}", actions=calls)


def _file_to_count(rng: random.Random, world: World) -> Request:
    item, path = rng.choice(list(world.stock)), rng.choice(list(world.files))
    words = world.files[path].split()
    if not words or not words[-1].isdigit():
        return _count_to_file(rng, world)
    said = words[-1]
    world.stock[item] = int(said)
    calls = (
        (file_call("read_file", path=path),),
        (query("UPDATE stock SET n = {said} WHERE item = '{item}'", said=said, item=item),),
    )
    return Request(text=f"set {item} to the number in {path}", actions=calls)


def _low_to_file(rng: random.Random, world: World) -> Request:
    bound, path = rng.randint(20, 80), world.spare_file(rng)
    text = "\n".join(sorted(item for item, n in world.stock.items() if n < bound))
    world.files[path] = text
    calls = (
        (query("SELECT item FROM stock WHERE n < {bound} ORDER BY item", bound=bound),),
        (file_call("write_file", path=path, text=text),),
    )
    return Request(text=f"write the items whose n is below {bound}, sorted, one a line, to {path}", actions=calls)


def _worth(world: World) -> tuple[str, ToolCall]:
    total = sum(n * world.price[item] for item, n in world.stock.items() if item in world.price)
    return str(total), query("SELECT COALESCE(SUM(n * cost), 0) FROM stock JOIN price USING (item)")


def _worth_to_file(rng: random.Random, world: World) -> Request:
    path = world.spare_file(rng)
    total, asked = _worth(world)
    world.files[path] = total
    calls = ((asked,), (file_call("write_file", path=path, text=total),))
    return Request(text=f"write the sum of n times cost over all priced stock to {path}", actions=calls)


def _ask_worth(rng: random.Random, world: World) -> Request:
    total, asked = _worth(world)
    return Request(
        text="tell me the sum of n times cost over all priced stock", actions=((asked,),), answer=total, said=total
    )


def _count_to_key(rng: random.Random, world: World) -> Request:
    item, key = rng.choice(list(world.stock)), rng.choice(KEYS)
    number = str(world.stock[item])
    world.keys[key] = number
    calls = ((query("SELECT n FROM stock WHERE item = '{item}'", item=item),), (command(f"SET {key} {number}"),))
    return Request(text=f"keep the n of {item} under the key {key}", actions=calls)


def _worth_to_key(rng: random.Random, world: World) -> Request:
    key = rng.choice(KEYS)
    total, asked = _worth(world)
    world.keys[key] = total
    return Request(
        text=f"keep the sum of n times cost over all priced stock under the key {key}",
        actions=((asked,), (command(f"SET {key} {total}"),)),
    )


def _compute(rng: random.Random, world: World) -> Request:
    first, second = rng.randint(11, 99), rng.randint(11, 99)
    said = str(first * second)
    call = ToolCall(name="calculator", arguments={"expression": f"{first} * {second}"})
    return Request(text=f"tell me {first} times {second}", actions=((call,),), answer=said, said=said)


KINDS: tuple[Kind, ...] = (
    Kind(needs="d", level=1, draw=_set),
    Kind(needs="d", level=1, draw=_add),
    Kind(needs="d", level=1, draw=_remove),
    Kind(needs="f", level=1, draw=_write),
    Kind(needs="f", level=1, draw=_delete),
    Kind(needs="f", level=1, draw=_rename),
    Kind(needs="r", level=1, draw=_keep),
    Kind(needs="r", level=1, draw=_count_up),
    Kind(needs="r", level=1, draw=_drop),
    Kind(needs="d", level=2, draw=_ask_count),
    Kind(needs="f", level=2, draw=_ask_file),
    Kind(needs="f", level=2, draw=_copy_file),
    Kind(needs="df", level=2, draw=_count_to_file),
    Kind(needs="df", level=2, draw=_file_to_count),
    Kind(needs="dr", level=2, draw=_count_to_key),
    Kind(needs="c", level=2, draw=_compute),
    Kind(needs="d", level=3, draw=_raise_low),
    Kind(needs="d", level=3, draw=_ask_total),
    Kind(needs="df", level=3, draw=_low_to_file),
    Kind(needs="r", level=3, draw=_queue),
    Kind(needs="d", level=4, draw=_sell_low),
    Kind(needs="d", level=4, draw=_ask_worth),
    Kind(needs="df", level=4, draw=_worth_to_file),
    Kind(needs="dr", level=4, draw=_worth_to_key),
)
"""All of them."""
