"""Go through every order in which the events of a program can happen, each state once."""

from dataclasses import dataclass, field

from tests.model.explorer.chance import Chance
from tests.model.explorer.loop import SteppedLoop
from tests.model.explorer.report import told
from tests.model.explorer.store import Observable
from tests.model.explorer.world import Event, Program, Scene, World

Path = tuple[Event, ...]


@dataclass
class Found:
    """What a search went through, and the shortest way to each violation.

    Attributes:
        states: moments that differ; transitions: events that were tried; endings: complete runs.
    """

    states: int = 0
    transitions: int = 0
    endings: int = 0
    violations: dict[str, tuple[Program, Scene, Path]] = field(
        default_factory=dict[str, tuple[Program, Scene, Path]]
    )

    def add(self, flag: str, program: Program, scene: Scene, path: Path) -> None:
        if flag not in self.violations or len(path) < len(self.violations[flag][2]):
            self.violations[flag] = program, scene, path


class Explorer:
    """Runs programs over a store again and again, each time in another order."""

    def __init__(self, chance: Chance, loop: SteppedLoop, store: Observable) -> None:
        self._chance, self._loop, self._store = chance, loop, store

    def explore(self, program: Program, scene: Scene, found: Found) -> None:
        """Add all that can be reached from the start of `program` to `found`."""
        seen: set[int] = set()
        paths: list[Path] = [()]
        while paths:
            path = paths.pop()
            world = self.run(program, scene, path)
            found.transitions += 1
            while events := world.events():
                key = hash(world.key())
                if key in seen:
                    break
                seen.add(key)
                paths += [(*path, event) for event in events[1:]]
                path = (*path, events[0])
                world.do(events[0])
                found.transitions += 1
            else:
                found.endings += 1
                world.finish()
            for flag in world.ledger.flags:
                found.add(flag, program, scene, path)
            world.dispose()
        found.states += len(seen)

    def tell(self, found: Found) -> str:
        """Return the shortest way to each violation, to be read."""
        lines: list[str] = []
        for flag, (program, scene, path) in sorted(found.violations.items()):
            world = self.run(program, scene, path)
            if not world.events():
                world.finish()
            lines += ["", flag, f"from {scene}", *(f"    {line}" for line in told(world))]
            world.dispose()
        return "\n".join(lines)

    def run(self, program: Program, scene: Scene, path: Path) -> World:
        """Return the world after the events of `path`."""
        self._store.empty()
        world = World(program, scene, self._loop, self._store, self._chance)
        for event in path:
            world.do(event)
        return world
