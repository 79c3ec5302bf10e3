"""Opens the log that the settings name."""

from broker.domain.errors import ConfigurationError
from broker.runtime.kafka import KafkaLog, KafkaSecurity
from broker.runtime.loopback import is_all_loopback
from broker.runtime.settings import Settings


def open_log(settings: Settings, *, client_id: str) -> KafkaLog:
    """
    Return the Kafka of this installation; nothing is connected yet.

    Raises:
        ConfigurationError: No Kafka is named, or its security settings do not fit together.
    """
    return KafkaLog(settings.bootstrap(), client_id=client_id, security=kafka_security(settings))


def kafka_security(settings: Settings) -> KafkaSecurity:
    """
    Return how to connect.

    Raises:
        ConfigurationError: The settings do not fit together, or Kafka is beyond loopback and there
            is no TLS.
    """
    import ssl

    kafka = settings.kafka
    if bool(kafka.certificate_file) != bool(kafka.key_file):
        raise ConfigurationError("a certificate needs its key @ kafka.certificate_file")
    context = None
    if kafka.ca_file is not None:
        context = ssl.create_default_context(cafile=str(kafka.ca_file))
        if kafka.certificate_file and kafka.key_file:
            context.load_cert_chain(str(kafka.certificate_file), str(kafka.key_file))
    elif not kafka.plaintext_beyond_loopback and not is_all_loopback(settings.bootstrap()):
        raise ConfigurationError("TLS is needed beyond loopback @ kafka.ca_file")
    if kafka.sasl_mechanism is None:
        return KafkaSecurity(ssl_context=context)
    if kafka.sasl_username is None or kafka.sasl_password is None:
        raise ConfigurationError("a mechanism needs user and password @ kafka.sasl_mechanism")
    return KafkaSecurity(
        ssl_context=context,
        mechanism=kafka.sasl_mechanism,
        user=kafka.sasl_username,
        password=kafka.sasl_password.get_secret_value(),
    )
