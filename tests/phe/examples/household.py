"""Electricity bills, added up by somebody who must not see them: a script of a phe user.

Only the import differs between phe and the drop-in; tests/phe/test_examples.py runs it with both.
"""

import json

import phe as paillier


def encrypted_to_json(public_key, numbers):
    """What travels: the modulus, and ciphertext and exponent of every number."""
    return json.dumps(
        {
            "public_key": {"n": str(public_key.n)},
            "values": [(str(number.ciphertext()), number.exponent) for number in numbers],
        }
    )


def encrypted_from_json(text):
    received = json.loads(text)
    public_key = paillier.PaillierPublicKey(n=int(received["public_key"]["n"]))
    return public_key, [
        paillier.EncryptedNumber(public_key, int(ciphertext), int(exponent))
        for ciphertext, exponent in received["values"]
    ]


def compute_tariffs(text):
    """On somebody else's machine: no private key here."""
    public_key, (winter, spring, surcharge) = encrypted_from_json(text)
    total = winter + spring
    with_tax = total * 1.19 - surcharge
    coarse = paillier.EncodedNumber.encode(public_key, 12.3456, precision=0.01)
    results = [
        total,
        with_tax,
        (winter + spring + surcharge) / 3,
        10 - surcharge,
        winter + coarse,
        surcharge * paillier.EncodedNumber.encode(public_key, -4),
        sum([winter, spring, surcharge]),
        winter.decrease_exponent_to(-40),
    ]
    return encrypted_to_json(public_key, results)


def main(n_length):
    keyring = paillier.PaillierPrivateKeyring()
    public_key, private_key = paillier.generate_paillier_keypair(keyring, n_length=n_length)
    archive_key, _ = paillier.generate_paillier_keypair(private_keyring=keyring, n_length=n_length)

    bills = [412.75, 367.5, 20]
    request = encrypted_to_json(public_key, [public_key.encrypt(bill) for bill in bills])
    _, answers = encrypted_from_json(compute_tariffs(request))
    outcome = {
        "answers": [private_key.decrypt(answer) for answer in answers],
        "exponents": [answer.exponent for answer in answers],
        "by_ring": keyring.decrypt(archive_key.encrypt(-1.25e-7) * 2 + 1),
        "rounded": private_key.decrypt(public_key.encrypt(3.14159, precision=1e-3)),
        "large": private_key.decrypt(public_key.encrypt(public_key.max_int)) == public_key.max_int,
        "encoded": private_key.decrypt_encoded(public_key.encrypt(-17)).decode(),
        "raw": private_key.raw_decrypt(public_key.raw_encrypt(12345)),
        "keys": len(keyring),
        "errors": [],
    }
    rebuilt = paillier.PaillierPrivateKey(public_key, private_key.p, private_key.q)
    outcome["rebuilt"] = rebuilt == private_key and rebuilt.decrypt(public_key.encrypt(6)) == 6
    for mistake in (
        lambda: keyring[archive_key].decrypt(public_key.encrypt(1)),
        lambda: private_key.decrypt(public_key.encrypt(public_key.max_int) + 1),
        lambda: public_key.encrypt(public_key.max_int + 1),
        lambda: public_key.encrypt("12"),
        lambda: public_key.encrypt(1) + archive_key.encrypt(1),
    ):
        try:
            mistake()
        except (ValueError, TypeError, OverflowError) as error:
            kinds = (ValueError, TypeError, OverflowError)
            outcome["errors"].append([kind.__name__ for kind in kinds if isinstance(error, kind)])
    return outcome


if __name__ == "__main__":
    print(json.dumps(main(n_length=1024)))
