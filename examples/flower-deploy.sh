#!/usr/bin/env bash
# A deployment on the loopback interface, from no file at all: keys, roster, TLS, node authentication, a SuperLink and a
# SuperNode for each party as separate processes, one run, and everything stopped again.
#
#   examples/flower-deploy.sh APP [ring|star] [ROUNDS] [CLIENTS]
#
# With SIMULATE=1 the same keys, roster and settings, and Flower's simulation in the place of SuperNodes, without TLS.
# Flower and vecphe come from PATH; W is the directory for all files (by default a temporary one, which is gone after a run
# that ends well: the keys of all parties are in it), PORT the first of CLIENTS + 3 ports.
set -euo pipefail
fail() { echo "error: $*" >&2; exit 2; }
[ -d "${1:-}" ] || fail "usage: $0 APP [ring|star] [ROUNDS] [CLIENTS], where APP is the directory of an app"
APP=$(cd "$1" && pwd); TOPOLOGY=${2:-ring}; ROUNDS=${3:-3}; CLIENTS=${4:-3}
case $TOPOLOGY in ring | star) ;; *) fail "the topology is ring or star, not $TOPOLOGY" ;; esac
for number in "$ROUNDS" "$CLIENTS"; do [[ $number =~ ^[1-9][0-9]*$ ]] || fail "$number is no number of rounds or clients"; done
PORT=${PORT:-29281}; BITS=${BITS:-2048}
NODES=$CLIENTS; [ "$TOPOLOGY" = star ] && NODES=$((CLIENTS + 1))
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
for port in $(seq "$PORT" $((PORT + NODES + 1))); do
    ! listens "$port" || fail "something listens on port $port: give another first one, as PORT=25000"
done
MADE=; [ -n "${W:-}" ] || MADE=$(mktemp -d)
W=${W:-$MADE}; mkdir -p "$W"; W=$(cd "$W" && pwd)
export FLWR_HOME=$W/flwr FLWR_TELEMETRY_ENABLED=0 FLWR_DISABLE_UPDATE_CHECK=1 \
    FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION=1 FLWR_SUPEREXEC_TASK_POLL_INTERVAL=${POLL:-0.1} OMP_NUM_THREADS=1
mkdir -p "$FLWR_HOME"; cd "$W"
PIDS=()
below() { # PID...: what these have started, in whatever sessions; Flower does not end the app of a SuperLink that is stopped
    python -c 'import sys
from vecphe.system.lifetime import descendants
print(*(below for pid in sys.argv[1:] for below in descendants(int(pid))))' "$@"
}
# Whatever this script started.
finish() {
    local status=$? others
    others=$(below "${PIDS[@]}" || true)
    for pid in "${PIDS[@]}"; do kill -- "-$pid" 2>/dev/null || true; done; wait 2>/dev/null || true
    for pid in $others; do kill -KILL "$pid" 2>/dev/null || true; done
    [ -z "$MADE" ] || [ "$status" != 0 ] || rm -rf "$MADE" || true
}
trap finish EXIT
start() { local log=$1; shift; setsid "$@" >"$log" 2>&1 & PIDS+=($!); echo $! >"${log%.log}.pid"; }

# Each party makes its own keys, and gives away the file .pub
PARTIES=()
for i in $(seq 0 $((NODES - 1))); do
    name="Hospital $((i + 1))"; [ "$i" = "$CLIENTS" ] && name="Key holder"
    vecphe roster keys "$name" --out "party$i" >/dev/null
    [ "$i" = "$CLIENTS" ] || PARTIES+=("party$i.pub")
done
vecphe roster keys Server --out partyserver >/dev/null
# Who will hold the private key makes it: the server of a ring, the holder of a star
vecphe keygen --out run.key --key-length "$BITS" ${BITS_INSECURE:+--insecure} >/dev/null
HOLDER=(); [ "$TOPOLOGY" = star ] && HOLDER=(--holder "party$CLIENTS.pub")
vecphe roster collect "${PARTIES[@]}" --server partyserver.pub --key run.key.pub "${HOLDER[@]}" --out roster.json \
    ${BITS_INSECURE:+--insecure}

# Every party reads the app, builds the bundle itself, and pins it
(cd "$APP" && flwr build >/dev/null && mv ./*.fab "$W/app.fab")
BUNDLE=$(sha256sum app.fab | cut -d' ' -f1)
settings() { # PARTY EXTRA
    mkdir -m 700 "$1"
    echo "{\"roster\": \"../roster.json\", \"party\": \"../party$1\", \"memory\": \"memory.db\", \"bundle\": \"$BUNDLE\"" \
        "${BITS_INSECURE:+, \"insecure\": true} ${2:-}}" >"$1/settings.json"
}
for i in $(seq 0 $((NODES - 1))); do
    [ "$i" = "$CLIENTS" ] && settings "$i" ', "key": "../run.key"' || settings "$i"
done
[ "$TOPOLOGY" = star ] && settings server ', "public_key": "../run.key.pub"' || settings server ', "key": "../run.key"'

link() { # OPTION...: a SuperLink, and how flwr finds it
    start superlink.log flower-superlink --host 127.0.0.1 --port "$PORT" --disable-runtime-dependency-installation "$@"
    local trust="root-certificates = \"$W/ca.pem\""; [ -n "${SIMULATE:-}" ] && trust="insecure = true"
    printf '[superlink]\ndefault = "here"\n[superlink.here]\naddress = "127.0.0.1:%s"\n%s\n' "$PORT" "$trust" \
        >"$FLWR_HOME/config.toml"
    for _ in $(seq 240); do
        kill -0 "${PIDS[0]}" 2>/dev/null || break
        listens "$PORT" && return; sleep 0.5
    done
    fail "the SuperLink did not start: $W/superlink.log says why"
}
# The examples cut the rows of all hospitals out of one set
ROWS=; ! grep -q '^hospitals *=' "$APP/pyproject.toml" || ROWS=" hospitals=$CLIENTS"
run() { # OPTION...: one run; if it ends well, the private key is gone
    flwr run "${OTHER_APP:-$APP}" here --stream "$@" \
        --run-config "vecphe='$W/server/settings.json' num-server-rounds=$ROUNDS$ROWS ${RUN_CONFIG:-}" \
        2>&1 | tee run.log | grep -E "round|Error|error|refus|Success|lost|answer" || true
}
ended() { [ ! -e run.key ] || { echo "the run did not end well: $W/run.log says why"; exit 1; }; }

if [ -n "${SIMULATE:-}" ]; then
    export VECPHE_SIMULATION=$W
    link --insecure --simulation
    run --federation-config "num-supernodes=$NODES client-resources-num-cpus=1"
    ended
    exit
fi

# Certificates for TLS, and a key for each SuperNode (P-384 in OpenSSH's form)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30 -subj "/CN=test CA" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout link.key -out link.csr -subj "/CN=localhost" 2>/dev/null
openssl x509 -req -in link.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out link.pem \
    -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") 2>/dev/null
for i in $(seq 0 $((NODES - 1))) stranger; do
    if command -v ssh-keygen >/dev/null; then ssh-keygen -q -t ecdsa -b 384 -N "" -C "" -f "node$i"
    else python - "node$i" <<'P'
import sys
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec
key = ec.generate_private_key(ec.SECP384R1())
private = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.OpenSSH, s.NoEncryption())
public = key.public_key().public_bytes(s.Encoding.OpenSSH, s.PublicFormat.OpenSSH)
for name, data in ((sys.argv[1], private), (sys.argv[1] + ".pub", public)):
    open(name, "wb").write(data)
P
    fi
done
TLS=(--ssl-certfile link.pem --ssl-keyfile link.key --ssl-ca-certfile ca.pem)

link "${TLS[@]}" --enable-supernode-auth --database state.db
for i in $(seq 0 $((NODES - 1))); do flwr supernode register "node$i.pub" here | tail -1; done
node() { # NUMBER PORT CONFIG
    start "node$1.log" python -m vecphe.flower.supernode --superlink "127.0.0.1:$PORT" --root-certificates ca.pem \
        --auth-supernode-private-key "node$1" --port "$2" "${TLS[@]}" --node-config "$3"
}
for i in $(seq 0 $((NODES - 1))); do
    node "$i" $((PORT + 1 + i)) "vecphe='$W/$i/settings.json' partition-id=$i num-partitions=$NODES"
done
# A node whose key nobody has registered
node stranger $((PORT + 1 + NODES)) "vecphe='$W/0/settings.json' partition-id=0 num-partitions=$NODES"

# For a look around, or for runs of your own: all of it stays until the standard input ends
if [ -n "${HOLD:-}" ]; then
    echo "in another shell: FLWR_HOME=$W/flwr flwr run $APP here --stream" \
        "--run-config \"vecphe='$W/server/settings.json' num-server-rounds=$ROUNDS$ROWS\""
    echo "ready"; cat >/dev/null; exit
fi

run
echo "the stranger: $(grep -ciE 'exit code|not (been )?(found|registered|authorized)|unauthenticated|denied|invalid' nodestranger.log || true) lines of refusal in its log"
tail -3 nodestranger.log
ended
