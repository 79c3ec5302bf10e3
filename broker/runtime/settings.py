"""
Settings of one installation: environment variables over a TOML file over defaults.

Secrets are read from files (`*_file`) or from the environment, never from the command line;
the classes that hold them print no value.
"""

import os
import re
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from broker.domain.errors import ConfigurationError

CONFIG_VARIABLE = "CRISIS_CONFIG"
DEFAULT_CONFIG = Path("crisis-broker.toml")
PORTS = {"intake": 9464, "release": 9465, "deliver": 9466}
"""Where each process answers /metrics, /healthz and /readyz by default."""


OptionalPath = Annotated[Path | None, BeforeValidator(lambda value: value or None)]
Port = Annotated[int, Field(ge=0, le=65535)]
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
]


class Environment(StrEnum):
    """Whether people act on what moves through this installation."""

    LIVE = "live"
    TEST = "test"
    EXERCISE = "exercise"


class Part(BaseModel):
    """One table of the settings; a name that nobody reads is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")


class TlsSettings(Part):
    """Certificate of a listener, and whose client certificates it asks for."""

    certificate_file: Path
    key_file: Path
    client_ca_file: Path | None = Field(
        default=None,
        description="authority of client certificates; private to the site, for it can make anybody"
        " any party",
    )


class KafkaSecuritySettings(Part):
    """How to connect to a Kafka that wants to know who we are."""

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    plaintext_beyond_loopback: bool = Field(
        default=False,
        description="a Kafka elsewhere may be called without TLS: only where an encrypted network of"
        " its own (a mesh, a tunnel) lies between, since all payload would pass in the clear",
    )
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None


class OauthSettings(Part):
    """The issuer whose client-credentials tokens intake accepts."""

    issuer: str
    audience: str
    jwks_url: str
    clients: dict[str, str] = Field(description="client id to party id")


class IntakeSettings(Part):
    """The HTTPS interface of intake."""

    host: str = "127.0.0.1"
    port: Port = 8443
    tls: TlsSettings | None = None
    oauth: OauthSettings | None = None
    trust_client_certificates: dict[str, str] = Field(
        default_factory=dict,
        description="common name, DNS name or URI in a client certificate to party id; safe only if"
        " tls.client_ca_file is an authority private to the site",
    )
    max_body_bytes: int = 1_048_576
    max_depth: int = 32
    receive_timeout_s: float = 10.0
    rate_per_minute: int = 600
    keys_file: OptionalPath = None
    receipts_kept: timedelta = timedelta(days=30)
    keep_after_handover: timedelta = timedelta(hours=24)


class ReleaseSettings(Part):
    """The release process."""

    reference_check: bool = Field(
        default=True, description="compare every fast projection with the slow one before commit"
    )
    max_batch: int = 500
    dedupe_window: timedelta = Field(
        default=timedelta(days=8),
        ge=timedelta(days=7),
        description="how far back repeats are known; longer than events are kept in Kafka",
    )
    max_view_bytes: int = 900_000
    held_retry_s: float = 15.0


class DeliverSettings(Part):
    """The deliver process."""

    concurrency: int = 16
    kept_for_urgent: int = Field(default=4, description="of these, slots only urgent views use")
    request_timeout_s: float = 5.0
    intake_url: str = "http://127.0.0.1:8443"
    keep_after_close: timedelta = timedelta(hours=72)


class Settings(BaseSettings):
    """
    Everything an installation can set; each name is also ``CRISIS_<NAME>`` in the environment.

    >>> Settings(namespace="crisis").partitions
    12
    """

    model_config = SettingsConfigDict(
        env_prefix="CRISIS_", env_nested_delimiter="__", extra="forbid", validate_default=True
    )

    environment: Environment = Environment.TEST
    namespace: str = Field(default="crisis", pattern=r"^[a-z][a-z0-9-]{0,39}$")
    cluster: str = Field(default="local", description="part of every transactional id")
    partitions: int = Field(default=12, ge=1, le=100)
    replication: int = Field(default=1, ge=1, le=5)
    state_dir: Path = Path("var")
    agreements_dir: OptionalPath = None
    schemas_dir: OptionalPath = None
    mappings_dir: OptionalPath = None
    parties_file: OptionalPath = None
    registry_url: str | None = None
    bootstrap_servers: str = ""
    kafka: KafkaSecuritySettings = KafkaSecuritySettings()
    intake: IntakeSettings = IntakeSettings()
    release: ReleaseSettings = ReleaseSettings()
    deliver: DeliverSettings = DeliverSettings()
    ops_host: str = "127.0.0.1"
    ops_port: Port | None = Field(default=None, description="0 picks a free port")
    ops_tls: TlsSettings | None = Field(default=None, description="beyond loopback it is needed")
    log_level: LogLevel = "INFO"
    site_secret_file: OptionalPath = None
    site_secret: SecretStr | None = None
    recipient: str | None = Field(default=None, description="whose lanes this deliver serves")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the environment above the file, and explicit arguments above both."""
        config = Path(os.environ.get(CONFIG_VARIABLE, DEFAULT_CONFIG))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, config)

    def bootstrap(self) -> str:
        """
        Return the Kafka to use: the one that is named, else the one `crisis-broker kafka up` started.

        Raises:
            ConfigurationError: There is neither.
        """
        found = os.environ.get("KAFKA_BOOTSTRAP_SERVERS") or self.bootstrap_servers
        if not found:
            from broker.runtime import local_kafka

            started = local_kafka.status(self.state_dir / "kafka")
            found = started.bootstrap if started else ""
        if not found:
            raise ConfigurationError(
                "no Kafka is named: run `crisis-broker kafka up` or set KAFKA_BOOTSTRAP_SERVERS"
            )
        return found

    def secret(self) -> bytes:
        """
        Return the site secret that all ids and digests are keyed with.

        Raises:
            ConfigurationError: There is none, or it is shorter than 32 bytes.
        """
        if self.site_secret is not None:
            raw = self.site_secret.get_secret_value().encode()
        else:
            path = self.site_secret_file or self.state_dir / "secrets" / "site.key"
            try:
                raw = path.read_bytes().strip()
            except OSError as error:
                raise ConfigurationError(
                    "the site secret cannot be read: run `crisis-broker setup`"
                ) from error
        if len(raw) < 32:
            raise ConfigurationError("the site secret is shorter than 32 bytes @ site_secret")
        return raw

    def keys_file(self) -> Path:
        """Return where the API keys of intake are kept, as hashes."""
        return self.intake.keys_file or self.state_dir / "secrets" / "api-keys.json"


def load_settings(**overrides: object) -> Settings:
    """
    Read settings, or say which name breaks which rule.

    Raises:
        ConfigurationError: Names every wrong setting and its rule, never the value.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    if named and not Path(named).is_file():
        raise ConfigurationError(f"settings: no such file @ {CONFIG_VARIABLE}")
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except (TOMLDecodeError, UnicodeDecodeError) as error:
        place = Path(named or DEFAULT_CONFIG).name
        raise ConfigurationError(f"settings: {_rule_of_toml(error)} @ {place}") from error
    except SettingsError as error:
        # Its text names the field, and no value.
        raise ConfigurationError(f"settings: {error}") from error
    except OSError as error:
        raise ConfigurationError(f"settings: cannot be read @ {DEFAULT_CONFIG}") from error
    except ValidationError as error:
        wrong = "; ".join(
            f"{problem['msg'].lower()} @ {'.'.join(map(str, problem['loc']))}"
            for problem in error.errors(include_input=False)
        )
        raise ConfigurationError(f"settings: {wrong}") from error


def _rule_of_toml(error: ValueError) -> str:
    # Its text may quote what was written, which may be a secret; the line is enough.
    where = re.search(r"\(at (line \d+, column \d+|end of document)\)", str(error))
    return f"not TOML at {where[1]}" if where else "not TOML"
