"""The keys of k9s call commands that there are, and its view has columns that there are."""

import re
from pathlib import Path

from ordersaga.saga.actions import ACTIONS
from ordersaga.saga.command import parser
from tests.support import yamls

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "manifests" / "k9s"


def test_each_key_is_a_command_and_no_two_are_the_same() -> None:
    plugins = yamls.load((FOLDER / "plugins.yaml").read_text())["plugins"]
    shortcuts = [plugin["shortCut"] for plugin in plugins.values()]
    assert len(set(shortcuts)) == len(shortcuts)
    for name, plugin in plugins.items():
        script = plugin["args"][1]
        typed = re.search(r"kubectl saga ([^|;]*)", script)
        assert typed is not None, name
        words = typed[1].replace('"$1"', "o-1").replace('"$2"', "shop").replace('"$3"', "here").replace('"$why"', "why")
        options = parser().parse_args(words.split())
        assert (options.order, options.namespace, options.context) == ("o-1", "shop", "here")
        assert plugin["args"][3:] == ["$NAME", "$NAMESPACE", "$CONTEXT"], "as arguments, so that no name is a command"
        assert plugin["scopes"] == ["ordersagas"]
        changes = words.split()[0] in {action.name for action in ACTIONS}
        assert plugin.get("dangerous", False) == changes, "`k9s --readonly` offers nothing that changes something"
        assert "less" in script or script.endswith("; read -r _"), "what it says stays until somebody has read it"


def test_each_column_is_one_of_the_resource() -> None:
    definition = yamls.load((ROOT / "crds" / "ordersaga.yaml").read_text())
    printed = {column["name"].upper() for column in definition["spec"]["versions"][0]["additionalPrinterColumns"]}
    (view,) = yamls.load((FOLDER / "views.yaml").read_text())["views"].values()
    assert set(view["columns"]) - {"NAME"} <= printed
    assert view["sortColumn"].partition(":")[0] in printed
