"""Write tests/data/files_golden.json: files of this library, to be read by every later version.

::

    python tests/data/make_files_golden.py > tests/data/files_golden.json

Made once by vecphe 0.1.0; made again only where docs/format.md changes its version.
"""

from __future__ import annotations

import base64
import json
import sys

import numpy as np

import vecphe

PASSPHRASE = "correct horse battery staple"


def _cases() -> dict[str, tuple[np.ndarray, dict[str, object]]]:
    reals = np.array([[1.5, -2.25, 0.0], [1e-9, -1234.5678, 3.0]])
    return {
        "unpacked-float": (reals, {}),
        "packed-float": (reals, {"packed": True}),
        "unpacked-integer": (np.array([2**62, -1, 0]), {}),
        "packed-narrow": (np.arange(-3.0, 4.0), {"packed": True, "encoding": vecphe.FixedPoint(20, max_abs=8)}),
        "scalar": (np.array(-0.5), {}),
        "empty": (np.empty((0, 3)), {}),
    }


def main() -> None:
    """Print the files."""
    public_key, private_key = vecphe.generate_keypair(2048)
    arrays = []
    for name, (values, options) in _cases().items():
        for form, array in {
            "as it is": public_key.encrypt(values, **options),
            "twice": public_key.encrypt(values, **options) + public_key.encrypt(values, **options),
        }.items():
            decrypted = private_key.decrypt(array)
            arrays.append(
                {
                    "name": f"{name}, {form}",
                    "binary": base64.b64encode(array.to_bytes()).decode(),
                    "json": array.to_json(),
                    "dtype": str(decrypted.dtype),
                    "shape": decrypted.shape,
                    "values": decrypted.tolist(),
                    "terms": array.terms,
                }
            )
    product = public_key.encrypt(np.array([1.5, -2.0, 4.0])) * np.array([0.5, 3.0, -1.0])
    arrays.append(
        {
            "name": "product",
            "binary": base64.b64encode(product.to_bytes()).decode(),
            "json": product.to_json(),
            "dtype": "float64",
            "shape": [3],
            "values": private_key.decrypt(product).tolist(),
            "terms": product.terms,
        }
    )
    content = {
        "made_by": f"vecphe {vecphe.__version__}",
        "passphrase": PASSPHRASE,
        "n": hex(public_key.n),
        "public": {"binary": base64.b64encode(public_key.to_bytes()).decode(), "json": public_key.to_json()},
        "private": {
            "binary": base64.b64encode(private_key.to_bytes()).decode(),
            "json": private_key.to_json(),
            "jwk": private_key.to_jwk(),
        },
        "sealed": {
            "binary": base64.b64encode(private_key.to_bytes(passphrase=PASSPHRASE)).decode(),
            "json": private_key.to_json(passphrase=PASSPHRASE),
        },
        "arrays": arrays,
    }
    json.dump(content, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
