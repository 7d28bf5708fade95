"""The functions of the shop's API, as an agent is told of them."""

from __future__ import annotations

from bai.envs.tools.base import Tool
from bai.types import JSON

__all__ = ["TOOLS"]

_TEXT: JSON = {"type": "string"}
_IDS: JSON = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_ORDER: JSON = {**_TEXT, "description": "Of the order, with the # it begins with, such as #W0000000."}
_USER: JSON = {**_TEXT, "description": "Of the user, such as jo_doe_1234."}
_PRODUCT: JSON = {**_TEXT, "description": "Of the product, which is none of an item."}
_ITEM: JSON = {**_TEXT, "description": "Of the item, which is none of a product."}
_METHOD: JSON = {**_TEXT, "description": "Of one of the user's payment methods, such as gift_card_0000000."}
_ADDRESS: dict[str, JSON] = {
    "address1": {**_TEXT, "description": "Street and number."},
    "address2": {**_TEXT, "description": "Suite or flat; may be empty."},
    "city": _TEXT,
    "state": {**_TEXT, "description": "Two letters."},
    "country": {**_TEXT, "description": "Such as USA."},
    "zip": _TEXT,
}
_ONCE = "It can be done once for an order, so all of its items have to be in one call."


def _tool(name: str, description: str, **properties: JSON) -> Tool:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return Tool(name=name, description=description, parameters=schema)


_CHANGE = {
    "order_id": _ORDER,
    "item_ids": {**_IDS, "description": "Items of the order; an item that is in it twice may be named twice."},
    "new_item_ids": {**_IDS, "description": "What each of them is to become, in the same order: the same product."},
    "payment_method_id": _METHOD,
}

TOOLS: tuple[Tool, ...] = (
    _tool("find_user_id_by_email", "Find a user by email address.", email=_TEXT),
    _tool(
        "find_user_id_by_name_zip",
        "Find a user by first name, last name and zip code.",
        first_name=_TEXT,
        last_name=_TEXT,
        zip=_TEXT,
    ),
    _tool("get_user_details", "Get a user's profile: address, payment methods, orders.", user_id=_USER),
    _tool("get_order_details", "Get an order: status, address, items, payments, tracking.", order_id=_ORDER),
    _tool(
        "get_product_details",
        "Get a product with all its variants.",
        product_id=_PRODUCT,
    ),
    _tool("get_item_details", "Get one variant of a product.", item_id=_ITEM),
    _tool("list_all_product_types", "Get the names of all products and their product ids."),
    _tool("calculate", "Evaluate arithmetic.", expression={**_TEXT, "description": "Such as 2 * (3.5 + 4)."}),
    _tool(
        "cancel_pending_order",
        "Cancel a pending order and refund it to how it was paid.",
        order_id=_ORDER,
        reason={**_TEXT, "enum": ["no longer needed", "ordered by mistake"]},
    ),
    _tool("modify_pending_order_address", "Change where a pending order is sent.", order_id=_ORDER, **_ADDRESS),
    _tool("modify_pending_order_items", f"Change items of a pending order to other variants. {_ONCE}", **_CHANGE),
    _tool(
        "modify_pending_order_payment",
        "Change how a pending order is paid.",
        order_id=_ORDER,
        payment_method_id=_METHOD,
    ),
    _tool("modify_user_address", "Change a user's default address.", user_id=_USER, **_ADDRESS),
    _tool(
        "return_delivered_order_items",
        f"Ask for the return of items of a delivered order, refunded to how it was paid or to a gift card. {_ONCE}",
        order_id=_ORDER,
        item_ids=_CHANGE["item_ids"],
        payment_method_id=_METHOD,
    ),
    _tool("exchange_delivered_order_items", f"Ask for the exchange of items of a delivered order. {_ONCE}", **_CHANGE),
    _tool(
        "transfer_to_human_agents",
        "Hand the user over to a person: only for what no other function can do.",
        summary={**_TEXT, "description": "What the user wants."},
    ),
)
