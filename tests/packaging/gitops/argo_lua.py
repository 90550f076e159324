"""Argo CD's Lua, as far as its scripts can tell: Lua 5.1 with the base and table libraries and a tame `os`.

The real thing is gopher-lua, which Argo CD opens without `string`, `math`, `io`, `debug` and `package` unless an
administrator allows them (its util/lua/lua.go).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lupa.lua51 import LuaRuntime, lua_type

from common.wire import Json
from tests.support import yamls

CUSTOMIZATION = (
    Path(__file__).resolve().parents[3] / "manifests/gitops/argocd/resource_customizations/ordersaga.io/OrderSaga"
)
ACTIONS = ("retry", "suspend", "resume", "cancel")
BASE = {
    *("_G", "_VERSION", "assert", "collectgarbage", "error", "getfenv", "getmetatable", "ipairs", "load", "loadstring"),
    *("newproxy", "next", "pairs", "pcall", "print", "rawequal", "rawget", "rawset", "select"),
    *("setfenv", "setmetatable", "tonumber", "tostring", "type", "unpack", "xpcall"),
}
TAME = """
getmetatable("").__index = nil                      -- ("x"):upper() is the string library, too
local allowed = ...
local time, date = os.time, os.date
for name in pairs(_G) do
  if not allowed[name] and name ~= "table" then _G[name] = nil end
end
os = { time = time, date = date }
"""


def run(script: str, resource: Json) -> Any:
    """What the script returns for this resource. Raises lupa.lua51.LuaError as the script does."""
    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.execute(TAME, lua.table_from(dict.fromkeys(BASE, True)))
    lua.globals().obj = lua.table_from(resource, recursive=True)
    return _restored(_python(lua.execute(script)), resource)


def health(resource: Json) -> Json:
    """`{"status", "message"}` as Argo CD would show it."""
    found: Json = run((CUSTOMIZATION / "health.lua").read_text(), resource)
    assert found["status"] in ("Healthy", "Progressing", "Degraded", "Suspended"), found
    return found


def offered_actions(resource: Json) -> list[Json]:
    """The actions with name, displayName, iconClass and disabled, as Argo CD's API tells them."""
    offered: dict[str, Json] = run((CUSTOMIZATION / "actions/discovery.lua").read_text(), resource)
    assert set(offered) == set(ACTIONS)
    return [{"name": name, **dict(sorted(offered[name].items()))} for name in ACTIONS]


def enabled_actions(resource: Json) -> set[str]:
    """The names of the actions that can be pressed."""
    return {action["name"] for action in offered_actions(resource) if not action["disabled"]}


def act(action: str, resource: Json) -> Json:
    """The resource as the action wants it to be."""
    changed: Json = run((CUSTOMIZATION / f"actions/{action}/action.lua").read_text(), resource)
    return changed


def merge_patch(before: Json, after: Json) -> Json:
    """RFC 7386: how Argo CD sends an action's result to the API server."""
    patch: Json = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            if inner := merge_patch(old, value):
                patch[key] = inner
        elif old != value:
            patch[key] = value
    return patch


def recorded(folder: Path = CUSTOMIZATION / "testdata") -> Iterator[tuple[str, Json]]:
    """Name and resource of each recorded status."""
    for path in sorted(folder.glob("*.yaml")):
        yield path.stem, yamls.load(path.read_text())


def _python(value: Any) -> Any:
    if lua_type(value) != "table":
        return int(value) if isinstance(value, float) and value.is_integer() else value
    keys = list(value.keys())
    if keys == list(range(1, len(keys) + 1)):
        return [_python(each) for each in value.values()]
    return {key: _python(value[key]) for key in keys}


def _restored(new: Any, old: Any) -> Any:
    """Lua can't tell an empty object from an empty list: where both are empty, it is what it was."""
    if isinstance(new, list) and isinstance(old, dict) and not new:
        return {} if not old else new
    if isinstance(new, list) and isinstance(old, list):
        return [_restored(each, old[i]) if i < len(old) else each for i, each in enumerate(new)]
    if isinstance(new, dict) and isinstance(old, dict):
        return {key: _restored(value, old.get(key)) for key, value in new.items()}
    return new
