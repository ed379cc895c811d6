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

# part NAME SECONDS FLAGS...: one process of benchmarks.step. The seconds add up to 470.
part() {
    name=$1 limit=$2
    shift 2
    printf '\n## %s\n\n' "$name"
    timeout "$limit" "$python" -m benchmarks.step "$@" --output="$out/$name.json" \
        >"$out/$name.md" 2>"$out/$name.log" ||
        echo "FAILED with status $? (124: more than $limit s); see $out/$name.log" >>"$out/$name.md"
    cat "$out/$name.md"
}

{
    "$python" -c 'import jax; assert jax.default_backend() == "gpu", "JAX sees no GPU"' || exit 1
    # The step against PyTorch, with the floors of arithmetic and of memory and which binds.
    part float32 110 --experts=10,100 --iterations=50 --seconds=8 --precision=float32
    part tf32 70 --experts=10 --iterations=50 --seconds=8 --precision=tf32
    part bfloat16 70 --experts=10 --iterations=50 --seconds=8 --precision=bfloat16
    # How convolutions of many experts are best put to the compiler.
    for how in grouped matmul; do
        part "convolution-$how" 65 --experts=10,100 --iterations=50 --seconds=8 \
            --contenders=jax --memory=0 --convolution="$how"
    done
    # As long as a run of the paper's experiment.
    part iterations-2000 40 --experts=10 --iterations=2000 --seconds=20 --contenders=jax --memory=0
    # Many small runs at once against one.
    part replicas-32 50 --experts=10 --iterations=50 --seconds=8 --contenders=jax,replicas \
        --replicas=32 --memory=0
} 2>&1 | tee "$out/all.md"
