#!/usr/bin/env bash
# From nothing to predictions on molecules that the model has not seen, on a CPU.
#
#   bash scripts/quickstart.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

SAMPLE=LPM-24-data
PREPARED=output/sample
PREDICTIONS=output/nano_predict

prepare() {
    say "Prepare: the sample's conversations to token ids, in $PREPARED"
    local split
    for split in train test; do
        scimind prepare --task conversation --name "$split" --seq_length 192 --overwrite \
            --input "$SAMPLE/smiles2text/$split.json" "$SAMPLE/text2smiles/$split.json" --output "$PREPARED"
    done
}

finetune() {
    say "Finetune: the nano model, in output/nano"
    python run_scimind.py --config configs/scimind_nano_finetune.yaml --run_mode finetune
}

predict() {
    local task
    for task in smiles2text text2smiles; do
        say "Predict: $task on molecules that were held out"
        python run_scimind.py --config configs/scimind_nano_predict.yaml --run_mode predict --use_parallel False \
            --predict_data "$SAMPLE/$task/test_prompts.txt" --save_file "$PREDICTIONS/$task.jsonl" --overwrite
    done
}

use_environment
prepare
finetune
predict
say "Done. Predictions: $PREDICTIONS/smiles2text.jsonl and text2smiles.jsonl; loss curve and checkpoints: output/nano"
