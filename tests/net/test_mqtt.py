"""The MQTT connection: over TLS, to a broker that is silent, refusing a subscription."""

from __future__ import annotations

import asyncio
import gc
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from servers.broker import BrokerStandIn, requires_mosquitto
from veille.net.mqtt import Broker, BrokerError, connect


def broker_at(port: int, **more: object) -> Broker:
    values: dict[str, object] = {"host": "localhost", "port": port, "client_id": "essai"}
    return Broker(**(values | {"allow_private": True} | more))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@requires_mosquitto
# paho leaves the socket of a failed handshake to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_tls_proves_the_name_of_the_broker(tmp_path: Path, certificate: Path) -> None:
    access = f"certfile {certificate}\nkeyfile {certificate}\nallow_anonymous true"
    trusted = ssl.create_default_context(cafile=str(certificate))
    async with BrokerStandIn(tmp_path, access=access) as server:
        async with connect(broker_at(server.port, tls=True, context=trusted)) as link:
            await link.subscribe("a/#")
            await link.publish("a/b", b"eau")
            assert [one.payload for one in await link.arrived(5)] == [b"eau"]
        with pytest.raises(BrokerError) as unknown:
            async with connect(broker_at(server.port, tls=True)):
                pass
        with pytest.raises(BrokerError) as plain:
            async with connect(broker_at(server.port, timeout_s=1.0)):
                pass
    assert (unknown.value.why, unknown.value.may_retry) == ("certificate", True)
    assert plain.value.may_retry
    gc.collect()


async def test_a_broker_that_never_answers_is_left_and_its_socket_closed() -> None:
    ended = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1024):
            pass
        writer.close()
        ended.set()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(BrokerError) as silent:
            async with connect(broker_at(port, host="127.0.0.1", timeout_s=0.5)):
                pass
        async with asyncio.timeout(5):
            await ended.wait()
    assert (silent.value.why, silent.value.may_retry) == ("unreachable", True)


@requires_mosquitto
async def test_more_than_memory_may_hold_waits_in_the_broker(tmp_path: Path) -> None:
    async with BrokerStandIn(tmp_path) as server:
        broker = broker_at(server.port, session=timedelta(hours=1), receive_maximum=2)
        async with connect(broker) as link:
            await link.subscribe("a/#")
            await server.publish("a/b", *(b"%d" % n for n in range(300)), qos=0)
            sizes = []
            while sum(sizes) < 300:
                found = await link.arrived(5)
                assert found
                sizes.append(len(found))
            assert max(sizes) <= 4


async def test_a_subscription_without_the_right_waits_for_a_person() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # mosquitto's acl_file takes any subscription and then delivers nothing; others say so
        await reader.read(1024)
        writer.write(b"\x20\x03\x00\x00\x00")  # CONNACK: no session, success, no properties
        subscribe = await reader.read(1024)
        writer.write(b"\x90\x04" + subscribe[2:4] + b"\x00\x87")  # SUBACK: not authorized
        await reader.read(1024)
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(broker_at(port, host="127.0.0.1", timeout_s=2.0)) as link:
            with pytest.raises(BrokerError, match="the right to read mqtt_topic") as refused:
                await link.subscribe("b")
    assert not refused.value.may_retry


def test_no_password_shows() -> None:
    assert "secret" not in repr(broker_at(1883, password="secret"))
