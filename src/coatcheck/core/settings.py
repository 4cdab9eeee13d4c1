"""What an application decides once about its sessions: pure, without store and clock."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import urandom

from coatcheck.core.codec import Codec
from coatcheck.core.envelope import Checked, Envelope, is_envelope
from coatcheck.core.merge import Merge
from coatcheck.core.policy import Policy
from coatcheck.core.record import Record
from coatcheck.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Settings:
    """Policy, codec, envelope and merge rules.

    Attributes:
        random: where the bytes come from that a session needs while a request uses it.
        empty: an empty session, encoded.

    Raises:
        ConfigurationError: the policy, the envelope or a rule is of another type.
    """

    codec: Codec
    policy: Policy = field(default_factory=Policy)
    envelope: Envelope = field(default_factory=Checked)
    rules: Mapping[str, Merge] = field(default_factory=dict[str, Merge])
    random: Callable[[int], bytes] = urandom
    empty: bytes = field(init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.policy, Policy):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("policy", f"{self.policy!r} is no Policy")
        if not is_envelope(self.envelope):
            raise ConfigurationError("envelope", f"{self.envelope!r} is no envelope")
        for key, rule in self.rules.items():
            if not isinstance(rule, Merge):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ConfigurationError("merge", f"{key!r}: {rule!r} is no Merge")
        object.__setattr__(self, "empty", self.codec.encode({}))

    def content(self, record: Record) -> bytes:
        """Return the encoded data of a record.

        Raises:
            Undecodable: it is damaged, or of a format this version does not know.
        """
        return self.envelope.unwrap(record.payload, record.bound_to())

    def payload(self, record: Record, content: bytes) -> bytes:
        """Return `content` bound to `record`, and to others that differ in what changes freely."""
        return self.envelope.wrap(content, record.bound_to())

    def filled(self, record: Record, content: bytes) -> Record:
        """Return `record` with `content` as its payload: the last step, as it binds the two."""
        return record._replace(payload=self.payload(record, content))
