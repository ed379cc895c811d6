#!/bin/sh
# All that the owner of a GPU wants to know, in less than 8 minutes:
#
#   pip install -r requirements-cuda.txt 'torch>=2.5'   # PyTorch is optional
#   sh benchmarks/gpu.sh results
#
# Leaves a table (.md), all times (.json) and messages (.log) of each part in the folder, and a
# line on each part that failed or ran out of time; the others go on. PYTHON names the interpreter.
set -u
out=${1:?usage: sh benchmarks/gpu.sh FOLDER}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")/.." || exit 1
python=${PYTHON:-python}

"$python" -c 'import jax; assert jax.default_backend() == "gpu", "JAX sees no GPU"' || exit 1

# part NAME SECONDS FLAGS...: one process of benchmarks.step. The seconds add up to 440.
part() {
    name=$1 limit=$2
    shift 2
    printf '\n## %s\n\n' "$name"
    timeout -k 2 "$limit" "$python" -m benchmarks.step "$@" --output="$out/$name.json" \
        >"$out/$name.md" 2>"$out/$name.log" ||
        echo "FAILED with status $? (124: more than $limit s); see $out/$name.log" >>"$out/$name.md"
    cat "$out/$name.md"
}

few="--iterations=50 --seconds=8"
{
    # Against PyTorch, with the floors of arithmetic and of memory and which of them binds.
    part float32 90 --experts=10 $few --precision=float32
    part float32-100 60 --experts=100 $few --precision=float32 --memory=0
    part tf32 50 --experts=10 $few --precision=tf32 --memory=0
    part bfloat16 50 --experts=10 $few --precision=bfloat16 --memory=0
    # How the convolutions of many experts are put to the compiler.
    for how in grouped matmul; do
        part "$how" 50 --experts=10,100 $few --contenders=jax --convolution="$how" --memory=0
    done
    # More steps than a run of the paper's experiment takes.
    part iterations 40 --experts=10 --iterations=2000 --seconds=30 --contenders=jax --memory=0
    # Many runs in one program against one.
    part replicas 50 --experts=10 $few --contenders=jax,replicas --replicas=32 --memory=0
} | tee "$out/all.md"
