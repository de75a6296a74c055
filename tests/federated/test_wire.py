"""Keys and sums as bytes: a hop in which a transport moves nothing else."""

import json
import struct

import numpy as np
import phe
import pytest
from tests.federated.conftest import Parties

from vecphe import EncryptedArray, PublicKey
from vecphe.errors import KeyMismatchError, LayoutMismatchError, ProtocolError, SerializationError
from vecphe.federated import (
    Client,
    Contribution,
    EncryptedVector,
    EncryptionKey,
    NaiveBackend,
    PackedBackend,
    Server,
    decrypt_vector,
    encrypt_vector,
)

VALUES = [0.0, -1.5, 1e-3, 152.13348416289594, -30000.0, 3.0]


@pytest.fixture
def server(backend):
    """A server with a short key."""
    return Server(256, insecure=True, backend=backend)


def test_vectors_are_encrypted_arrays_of_the_format_with_their_terms(server):
    vector = encrypt_vector(server.pubkey, VALUES) + encrypt_vector(server.pubkey, VALUES)
    data = vector.to_bytes()
    array = EncryptedArray.from_bytes(PublicKey(server.pubkey.n, insecure=True), data)
    assert (array.shape, array.terms, array.packed) == ((6,), 2, server.pubkey.backend == "packed")
    again = EncryptedVector.from_bytes(server.pubkey, data)
    assert (len(again), again.terms, again.n_ciphertexts) == (6, 2, vector.n_ciphertexts)
    np.testing.assert_allclose(decrypt_vector(server.privkey, again), 2 * np.array(VALUES), rtol=1e-15, atol=1e-11)
    total = again + encrypt_vector(server.pubkey, VALUES)
    assert total.terms == 3
    np.testing.assert_allclose(decrypt_vector(server.privkey, total), 3 * np.array(VALUES), rtol=1e-15, atol=1e-11)


def test_h75_bytes_without_a_record_are_not_decrypted(parties):
    v0, v1, v2 = (client.encrypted_gradient() for client in parties.clients)
    for vector in (EncryptedVector.from_bytes(v0.key, (v0 + v1 + v2).to_bytes()), v0 + v1):
        again = EncryptedVector.from_bytes(v0.key, vector.to_bytes())
        assert again.contributions is None
        with pytest.raises(ProtocolError, match="refused to decrypt"):
            parties.server.decrypt_aggregate(again + v2 if vector.terms == 2 else again, 3)
        with pytest.raises(ProtocolError, match="mixed into"):
            again.to_message()


def test_a_round_in_which_only_bytes_are_moved(parties):
    server, clients = parties.server, parties.clients
    for number in (1, 2):
        handed_out, message = server.pubkey.to_bytes(), None
        expected = parties.mean
        for client in clients:
            client.pubkey = EncryptionKey.from_bytes(handed_out, insecure=True)
            total = None if message is None else EncryptedVector.from_message(client.pubkey, message)
            message = client.encrypted_gradient(total).to_message()
        mean = server.decrypt_aggregate(EncryptedVector.from_message(server.pubkey, message), 3)
        np.testing.assert_allclose(mean, expected, rtol=1e-9)
        for client in clients:
            client.gradient_step(mean, 0.1)
        with pytest.raises(ProtocolError, match=f"round {number} was decrypted before"):
            server.decrypt_aggregate(EncryptedVector.from_message(server.pubkey, message), 3)


def test_h75_messages_keep_what_is_in_the_sum(parties):
    a, b, _ = parties.clients
    first = EncryptedVector.from_message(a.pubkey, a.encrypted_gradient().to_message())
    assert [c.client for c in first.contributions] == ["A"]
    with pytest.raises(ProtocolError, match=r"A adds nothing .*already"):
        a.encrypted_gradient(first)
    twice = b.encrypted_gradient(first) + a.encrypted_gradient()
    with pytest.raises(ProtocolError, match="twice"):
        twice.to_message()
    with pytest.raises(ProtocolError, match="twice"):
        parties.server.decrypt_aggregate(twice, 3)


def test_keys_come_with_their_encoding_and_run(server):
    key = EncryptionKey.from_bytes(server.pubkey.to_bytes(), insecure=True)
    assert (key.backend, key.n, key.run) == (server.pubkey.backend, server.pubkey.n, server.pubkey.run)
    assert type(key) is type(server.pubkey)
    total = encrypt_vector(key, VALUES) + encrypt_vector(server.pubkey, VALUES)
    assert total.is_sum_of_terms
    np.testing.assert_allclose(decrypt_vector(server.privkey, total), 2 * np.array(VALUES), rtol=1e-15, atol=1e-11)
    with pytest.raises(ValueError, match="insecure=True"):
        EncryptionKey.from_bytes(server.pubkey.to_bytes())


def test_encodings_survive():
    server = Server(512, insecure=True, backend=PackedBackend(max_terms=7))
    key = EncryptionKey.from_bytes(server.pubkey.to_bytes(), insecure=True, n_jobs=1)
    assert encrypt_vector(key, [1.0]).array.format == encrypt_vector(server.pubkey, [1.0]).array.format
    other = Server(512, insecure=True, backend=PackedBackend(max_terms=200)).pubkey
    with pytest.raises(KeyMismatchError):
        EncryptedVector.from_bytes(other, encrypt_vector(key, [1.0]).to_bytes())


@pytest.mark.parametrize("name", ["packed", "vectorized"])
def test_vectors_of_another_encoding_are_refused(name):
    key = Server(256, insecure=True, backend=name).pubkey
    for packed, values in ((name != "packed", [1.0]), (name == "packed", [[1.0]]), (name == "packed", [1.0])):
        array = key.public_key.encrypt(values, packed=packed, encoding=PackedBackend(max_terms=9).encoding)
        with pytest.raises(LayoutMismatchError, match="another way"):
            EncryptedVector.from_bytes(key, array.to_bytes())


def test_numbers_of_different_exponents_are_aligned():
    server = Server(512, insecure=True, backend=NaiveBackend(phe))
    vector = encrypt_vector(server.pubkey, [1e-10, 5, 1e12, 0.1])
    assert len({number.exponent for number in vector.numbers}) > 2
    before = vector.ciphertexts()
    again = EncryptedVector.from_bytes(server.pubkey, vector.to_bytes())
    assert vector.ciphertexts() == before
    assert {number.exponent for number in again.numbers} == {min(number.exponent for number in vector.numbers)}
    assert decrypt_vector(server.privkey, again).tolist() == [1e-10, 5, 1e12, 0.1]
    public_key = PublicKey(server.pubkey.n, insecure=True)
    for other in (public_key.encrypt([1.0], packed=True), public_key.encrypt([[1.0]]), public_key.encrypt(1.0)):
        with pytest.raises(LayoutMismatchError, match="one value a ciphertext"):
            EncryptedVector.from_bytes(server.pubkey, other.to_bytes())


# Hostile messages ----------------------------------------------------------------------------------------------------


def edited(message, change=None, text=None):
    """The message with another header."""
    (length,) = struct.unpack_from("<Q", message, 8)
    header = json.loads(message[16 : 16 + length])
    if change:
        header = change(header)
    text = json.dumps(header).encode() if text is None else text
    return message[:8] + struct.pack("<Q", len(text)) + text + message[16 + length :]


@pytest.fixture(scope="module")
def sent():
    """A key and messages of it."""
    parties = Parties("packed")
    vector = parties.clients[1].encrypted_gradient(parties.clients[0].encrypted_gradient())
    return parties.server.pubkey, vector.to_message(), parties.server.pubkey.to_bytes()


ONE, TWO = ["ab" * 16, "A"], "cd" * 16
CHANGES = {
    "the version of the message is unknown": [{"version": 2}, {"version": True}, {"version": "1"}, {"version": 1.0}],
    "another message where a sum message belongs": [{"kind": "key"}, {"kind": None}],
    "run must be 32 hexadecimal digits": [
        {"run": run} for run in ("AB" * 16, "ab" * 15, "ab" * 17, "ab" * 16 + "\n", "xy" * 16, 5, None)
    ],
    "round must be a positive integer": [{"round": number} for number in (0, -1, True, 1.0, "1", 1 << 63)],
    "clients must be a list": [{"clients": []}, {"clients": {}}, {"clients": None}, {"clients": "ab"}],
    "1 client, but a sum of 2 terms": [{"clients": [ONE]}],
    "3 clients, but a sum of 2 terms": [{"clients": [ONE, [TWO, "B"], [TWO, "C"]]}],
    "a client must be its id, of 32 hexadecimal digits, and its name or null": [
        {"clients": [ONE, client]} for client in ([TWO], [TWO, "B", 1], [TWO.upper(), "B"], {}, "AB", ["B", TWO], None)
    ],
    "the name of a client must be printable text, not empty, or null": [
        {"clients": [ONE, [TWO, name]]} for name in ("", 5, "B\x1b[2J", "\ud800", "B\n", False, ["B"])
    ],
    "the header of the message is not the JSON that it must be": [{"more": 1}, {"sender": "A"}],
}


@pytest.mark.parametrize(
    ("told", "change"), [(told, change) for told, changes in CHANGES.items() for change in changes], ids=str
)
def test_h36_headers_that_are_not_as_specified_are_refused(sent, told, change):
    key, message, _ = sent
    assert EncryptedVector.from_message(key, edited(message, dict)).terms == 2
    with pytest.raises(SerializationError) as caught:
        EncryptedVector.from_message(key, edited(message, lambda header: {**header, **change}))
    assert str(caught.value) == told


@pytest.mark.parametrize("left_out", ["version", "kind", "run", "round", "clients"])
def test_h36_headers_that_lack_a_field_are_refused(sent, left_out):
    key, message, _ = sent
    with pytest.raises(SerializationError, match=r"^the header of the message is not the JSON that it must be$"):
        EncryptedVector.from_message(
            key, edited(message, lambda header: {k: header[k] for k in header if k != left_out})
        )


def test_the_last_round_and_clients_without_a_name_are_taken(sent):
    key, message, _ = sent
    changes = {"round": (1 << 63) - 1, "clients": [[ONE[0], None], [TWO, "B"]], "run": "0" * 32}
    contributions = EncryptedVector.from_message(
        key, edited(message, lambda header: {**header, **changes})
    ).contributions
    assert contributions == (
        Contribution("0" * 32, (1 << 63) - 1, ONE[0], None), Contribution("0" * 32, (1 << 63) - 1, TWO, "B"),
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b"\xff", b"null", b'{"a":1,"a":1}', b"[" * 10**5, b"9" * 10**5], ids=range(8)
)
def test_h37_headers_that_are_no_such_json_are_refused(sent, text):
    for message, read in ((sent[1], lambda data: EncryptedVector.from_message(sent[0], data)), (sent[2], key_from)):
        with pytest.raises(SerializationError):
            read(edited(message, text=text))


def key_from(data):
    return EncryptionKey.from_bytes(data, insecure=True)


def test_h35_messages_cut_anywhere_or_too_long_are_refused(sent):
    key, message, handed_out = sent
    for data, read in ((message, lambda data: EncryptedVector.from_message(key, data)), (handed_out, key_from)):
        for end in range(len(data)):
            with pytest.raises(SerializationError, match=r"^the message is truncated$|magic bytes"):
                read(data[:end])
        for more, told in ((1, "1 byte"), (2, "2 bytes"), (len(data), f"{len(data)} bytes")):
            with pytest.raises(SerializationError, match=f"^the message has {told} too many$"):
                read(data + data[:more])
        read(bytearray(data))
        read(
            memoryview(bytes(byte for pair in zip(data, data, strict=True) for byte in pair))[::2]
        )  # every second byte of a buffer


@pytest.mark.parametrize("length", [0, 1, 2**63, 2**64 - 1])
def test_h35_lengths_are_checked_before_anything_is_read(sent, length):
    key, message, handed_out = sent
    for data, read in ((message, lambda data: EncryptedVector.from_message(key, data)), (handed_out, key_from)):
        with pytest.raises(SerializationError):
            read(data[:8] + struct.pack("<Q", length) + data[16:])


def test_messages_of_the_other_kind_and_no_bytes_are_refused(sent):
    key, message, handed_out = sent
    with pytest.raises(SerializationError):
        EncryptedVector.from_message(key, handed_out)
    with pytest.raises(SerializationError):
        key_from(message)
    with pytest.raises(SerializationError, match="magic bytes"):
        EncryptedVector.from_message(key, EncryptedVector.from_message(key, message).to_bytes())
    for read in (key_from, lambda data: EncryptedVector.from_message(key, data)):
        with pytest.raises(TypeError, match="data must be bytes, not str"):
            read("text")
    with pytest.raises(TypeError, match="key must be of class"):
        EncryptedVector.from_message(key.public_key, message)
    with pytest.raises(SerializationError, match="backend of the key is unknown"):
        key_from(edited(handed_out, lambda header: {**header, "backend": "other"}))
    for wrong in ("vectorized", "naive"):
        with pytest.raises(SerializationError):
            key_from(edited(handed_out, lambda header, wrong=wrong: {**header, "backend": wrong}))


def test_a_message_of_another_key_is_refused(sent):
    other = Server(256, insecure=True).pubkey
    with pytest.raises(KeyMismatchError):
        EncryptedVector.from_message(other, sent[1])
    key = EncryptionKey.from_bytes(edited(sent[2], lambda header: {**header, "run": "ab" * 16}), insecure=True)
    client = Client("D", np.ones((4, 3)), np.ones(4), key)
    with pytest.raises(ProtocolError, match=r"D adds nothing .*of another run"):
        client.encrypted_gradient(EncryptedVector.from_message(key, sent[1]))


@pytest.mark.parametrize("length", [1 << 20, (1 << 20) + 1])
@pytest.mark.parametrize("kind", ["sum", "key"])
def test_h77_the_longest_header_and_one_byte_more(sent, kind, length):
    """Many short parts take many times their length once they are parsed; a longer header is refused before that."""
    key, of_sum, of_key = sent
    data = of_key if kind == "key" else of_sum
    read = key_from if kind == "key" else lambda message: EncryptedVector.from_message(key, message)
    (old,) = struct.unpack_from("<Q", data, 8)
    text = data[16 : 16 + old - 1] + b" " * (length - old) + b"}"
    message = data[:8] + struct.pack("<Q", length) + text + data[16 + old :]
    if length == 1 << 20:
        read(message)
        return
    with pytest.raises(SerializationError, match="header of the message has more than 1048576 bytes"):
        read(message)


def test_h77_no_header_is_written_that_would_not_be_read(server):
    vector = encrypt_vector(server.pubkey, [1.0])
    run = server.pubkey.run.id

    def message(name_length):
        contribution = Contribution(run, 1, "0" * 32, "x" * name_length)
        return vector._recorded((contribution,)).to_message()

    (short,) = struct.unpack_from("<Q", message(1), 8)
    longest = (1 << 20) - short + 1
    assert EncryptedVector.from_message(server.pubkey, message(longest)).terms == 1
    with pytest.raises(SerializationError, match="fewer clients, or shorter names"):
        message(longest + 1)


@pytest.mark.parametrize("name", ["", "B\n", "B\x1b[2J", "\ud800", 5], ids=ascii)
def test_h36_no_name_is_written_that_would_not_be_read(name):
    parties = Parties("packed")
    total = parties.clients[0].encrypted_gradient()
    parties.clients[1].name = name
    with pytest.raises(SerializationError, match="name of a client must be printable text, not empty"):
        parties.clients[1].encrypted_gradient(total).to_message()
