"""Check that the pages of docs/reference/api are what the docstrings of the public names say.

Nothing is imported: signatures are shown as they are written. `--fix` writes the pages.
"""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from inspect import cleandoc
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
FOLDER = ROOT / "docs" / "reference" / "api"
WIDTH = 96

# A module's names; none: those of its `__all__`, or all that do not begin with an underscore.
PUBLIC: dict[str, tuple[str, ...]] = {
    "coatcheck": (),
    "coatcheck.errors": (),
    "coatcheck.web": (),
    "coatcheck.web.asgi": ("SessionMiddleware", "session_of", "requires"),
    "coatcheck.web.fastapi": (
        "CurrentSession",
        "CurrentUser",
        "CurrentClaims",
        "OptionalClaims",
        "requires",
    ),
    "coatcheck.web.litestar": ("SessionPlugin", "session_of", "requires_subject", "requires"),
    "coatcheck.web.quart": ("SessionInterface", "session_of", "requires"),
    "coatcheck.web.aiohttp": ("setup", "session_of", "get_session", "requires"),
    "coatcheck.web.aiohttp_session": ("setup", "Storage", "Session"),
    "coatcheck.web.wsgi": ("SessionMiddleware", "session_of"),
    "coatcheck.web.flask": ("SessionInterface", "session_of", "requires"),
    "coatcheck.web.django": (),
    "coatcheck.web.django.asgi": ("get_asgi_application",),
    "coatcheck.web.access": (),
    "coatcheck.web.access.asgi": ("AccessTokenMiddleware", "claims_of"),
    "coatcheck.web.access.wsgi": ("AccessTokenMiddleware", "claims_of"),
    "coatcheck.tokens": (),
    "coatcheck.observe": (),
    "coatcheck.observe.sql_table": ("SQLTable",),
    "coatcheck.backup": (),
    "coatcheck.testing": (),
    "coatcheck.testing.tokens": ("access_token",),
    "coatcheck.stores.redis": (),
    "coatcheck.stores.sql": (),
    "coatcheck.stores.sql.tables": ("tables", "Tables"),
    "coatcheck.stores.protocol": (),
    "coatcheck.core.record": (),
    "coatcheck.waiting": ("Kind", "finish", "pause"),
}
SECTION = re.compile(r"^(Args|Attributes|Raises):\n((?:(?: +.*)?(?:\n|$))+)", re.MULTILINE)
REFERENCE = re.compile(r"`(coatcheck[a-z_.]*)\.(\w+)`")
QUOTED = re.compile(r"'([\w.]+(?:\[[^']*\])?(?: \| [\w.]+)*)'")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Statement = ast.stmt


class Found(NamedTuple):
    """Where a name is defined: the statement, and those that follow it."""

    node: Statement
    doc: str


def path_of(module: str) -> Path:
    path = SOURCE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def body_of(module: str) -> list[Statement]:
    return ast.parse(path_of(module).read_text()).body


def documented(body: list[Statement]) -> Iterator[tuple[str, Statement, str]]:
    """The definitions in a body: name, statement, and docstring, which may stand below it."""
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef | Function):
            yield node.name, node, ast.get_docstring(node) or ""
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name):
                yield target.id, node, below(after)


def below(node: Statement | None) -> str:
    """The text that a statement is, if it is one."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return cleandoc(str(node.value.value))
    return ""


@cache
def names_of(module: str) -> tuple[str, ...]:
    """The public names of a module, in its own order."""
    if PUBLIC[module]:
        return PUBLIC[module]
    for name, node, _ in documented(body_of(module)):
        if name == "__all__" and isinstance(node, ast.Assign):
            return tuple(ast.literal_eval(node.value))
    return tuple(name for name, _, doc in documented(body_of(module)) if name[0] != "_" and doc)


def find(module: str, name: str) -> Found:
    """Where a name is defined, which may be another module."""
    for found, node, doc in documented(body_of(module)):
        if found == name:
            return Found(node, doc)
    for node in body_of(module):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return find(node.module, alias.name)
    raise LookupError(f"{module} has no {name}")


def markdown(doc: str) -> str:
    """A docstring, its sections as lists."""

    def listed(match: re.Match[str]) -> str:
        items = re.split(r"\n(?=    \S)", match[2].rstrip("\n"))
        lines = [" ".join(line.strip() for line in item.splitlines()) for item in items]
        named = [re.sub(r"^([^:]+): ", code, line) for line in lines]
        return f"{match[1]}:\n\n" + "\n".join(f"- {line}" for line in named) + "\n\n"

    def code(match: re.Match[str]) -> str:
        return ", ".join(f"`{name}`" for name in match[1].split(", ")) + ": "

    def linked(match: re.Match[str]) -> str:
        module, name = match.groups()
        is_public = module in PUBLIC and name in names_of(module)
        return f"[{match[0]}]({module}.md#{name.lower()})" if is_public else match[0]

    return REFERENCE.sub(linked, SECTION.sub(listed, doc)).strip()


def call(name: str, arguments: list[str], result: str = "") -> str:
    """A signature, on several lines where one is too long."""
    line = f"{name}({', '.join(arguments)}){result}"
    if len(line) <= WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {each},\n" for each in arguments) + f"){result}"


def arguments_of(node: Function, *, bound: bool) -> list[str]:
    """The arguments as they are written, without `self`."""
    given = node.args
    positional = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(positional) - len(given.defaults)) + list(given.defaults)
    texts = [written(each, default) for each, default in zip(positional, defaults, strict=True)]
    if given.posonlyargs:
        texts.insert(len(given.posonlyargs), "/")
    if bound and not any(ast.unparse(each) == "staticmethod" for each in node.decorator_list):
        texts = texts[1:] if texts[1:2] != ["/"] else texts[2:]
    if given.vararg:
        texts.append(f"*{written(given.vararg)}")
    elif given.kwonlyargs:
        texts.append("*")
    keywords = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    texts += [written(each, default) for each, default in keywords]
    return texts + ([f"**{written(given.kwarg)}"] if given.kwarg else [])


def annotation(node: ast.AST) -> str:
    """What is written, without the quotes around names that are defined further below."""
    text = ast.unparse(node)
    return text if "Literal[" in text else QUOTED.sub(r"\1", text)


def written(argument: ast.arg, default: ast.expr | None = None) -> str:
    text = annotation(argument)
    if default is None:
        return text
    return f"{text}{' = ' if argument.annotation else '='}{ast.unparse(default)}"


def function(node: Function, name: str, *, bound: bool = False) -> str:
    """The signature of a function or a method."""
    result = f" -> {annotation(node.returns)}" if node.returns else ""
    is_async = isinstance(node, ast.AsyncFunctionDef)
    decorators = [ast.unparse(each) for each in node.decorator_list]
    if "property" in decorators:
        return name + result.replace(" -> ", ": ")
    kinds = [each for each in decorators if each in ("classmethod", "staticmethod")]
    before = "".join(f"@{each}\n" for each in kinds)
    return before + call(
        f"{'async ' * is_async}def {name}", arguments_of(node, bound=bound), result
    )


def constructor(node: ast.ClassDef) -> list[str]:
    """What a class is made of: the arguments of `__init__`, or its fields."""
    for each in node.body:
        if isinstance(each, ast.FunctionDef) and each.name == "__init__":
            return arguments_of(each, bound=True)
    fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
    texts = [ast.unparse(each) for each in fields]
    hidden = re.compile(r"_|.*(?:ClassVar\[|init=False)")
    return [text for text in texts if not hidden.match(text)]


def shown(name: str, found: Found) -> str:
    """A definition, its signature and its docstring, and those of its methods."""
    node, doc = found
    if isinstance(node, Function):
        return section(2, name, function(node, name), doc)
    if not isinstance(node, ast.ClassDef):
        return section(2, name, ast.unparse(node), doc)
    bases = [ast.unparse(base) for base in node.bases]
    is_enum = any(base.endswith("Enum") for base in bases)
    is_protocol = "Protocol" in bases
    takes = [] if is_enum or is_protocol else constructor(node)
    inherits = f"  # {', '.join(bases)}" if bases and takes else ""
    parts = [section(2, name, call(f"class {name}", takes or bases) + inherits, doc)]
    for member, each, text in documented(node.body):
        if member.startswith(("_", "test_")):
            continue
        if isinstance(each, Function):
            parts.append(section(3, f"{name}.{member}", function(each, member, bound=True), text))
        elif is_enum and isinstance(each, ast.Assign):
            parts.append(f"- `{name}.{member}`" + (f": {' '.join(text.split())}" if text else ""))
    return "\n\n".join(parts)


def section(level: int, title: str, signature: str, doc: str) -> str:
    signature = re.sub(r"'([^'\"\\]*)'", r'"\1"', signature)
    return f"{'#' * level} `{title}`\n\n```python\n{signature}\n```\n\n{markdown(doc)}".rstrip()


def page(module: str) -> str:
    """The page of a module."""
    doc = ast.get_docstring(ast.parse(path_of(module).read_text())) or ""
    parts = [f"# `{module}`", "[All that is public](README.md)", markdown(doc)]
    parts += [shown(name, find(module, name)) for name in names_of(module)]
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """The list of the pages, and of the names on each."""
    head = "# What is public\n\n`tools/api.py` writes these pages from the docstrings.\n\n"
    rows = [f"| [`{module}`]({module}.md) | {links(module)} |" for module in PUBLIC]
    return head + "\n".join(["| module | names |", "|---|---|", *rows]) + "\n"


def links(module: str) -> str:
    """The names of a module; GitHub counts headings that differ in case alone."""
    names = names_of(module)
    seen = [name.lower() for name in names]
    anchors = [
        anchor + (f"-{seen[:i].count(anchor)}" if anchor in seen[:i] else "")
        for i, anchor in enumerate(seen)
    ]
    pairs = zip(names, anchors, strict=True)
    return ", ".join(f"[`{name}`]({module}.md#{anchor})" for name, anchor in pairs)


def pages() -> dict[Path, str]:
    """All pages as they should be."""
    found = {FOLDER / f"{module}.md": page(module) for module in PUBLIC}
    return {**found, FOLDER / "README.md": index()}


def main() -> int:
    """Check the pages, or write them; tell what is wrong."""
    new, old = pages(), {path: path.read_text() for path in FOLDER.glob("*.md")}
    wrong = [path for path in {**old, **new} if old.get(path) != new.get(path)]
    if "--fix" in sys.argv[1:]:
        FOLDER.mkdir(exist_ok=True)
        for path in wrong:
            path.write_text(new[path]) if path in new else path.unlink()
        wrong = []
    for path in wrong:
        print(f"{path.relative_to(ROOT)}: differs from the docstrings (--fix writes it)")
    print(*[] if wrong else [f"{len(new)} pages of the reference agree with the source."])
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
