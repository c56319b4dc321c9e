#!/usr/bin/env bash
# From an empty machine to predictions on held-out molecules, with scores, on a CPU.
#
#   bash scripts/quickstart.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

SAMPLE=LPM-24-data
OUT=output/quickstart
FINETUNE=configs/scimind_nano_finetune.yaml
PREDICT=configs/scimind_nano_predict.yaml

prepare() {
    say "Prepare: encoding the conversations of the sample, in output/sample"
    local split
    for split in train test; do
        scimind prepare --task conversation --name "$split" --seq_length 160 --overwrite \
            --input "$SAMPLE/smiles2text/$split.json" "$SAMPLE/text2smiles/$split.json" --output output/sample
    done
}

finetune() {
    say "Finetune: training the nano model, in output/nano"
    python run_scimind.py --config "$FINETUNE" --run_mode finetune
}

# score NAME CHECKPOINT: loss and token accuracy on held-out records.
score() {
    say "Score: the $1 model on held-out molecules, in $OUT/$1"
    python run_scimind.py --config "$FINETUNE" --run_mode eval --load_checkpoint "$2" --output_dir "$OUT/$1"
}

# generate NAME CHECKPOINT: molecules from held-out descriptions, with their scores.
generate() {
    predict text2smiles "$@"
    scimind evaluate --task text2smiles --predictions "$OUT/$1/text2smiles.jsonl" --output "$OUT/$1/molecules.json" \
        --items "$OUT/$1/molecules.jsonl"
}

# predict TASK NAME CHECKPOINT
predict() {
    python run_scimind.py --config "$PREDICT" --run_mode predict --use_parallel False --load_checkpoint "$3" \
        --predict_data "$SAMPLE/$1/test.json" --save_file "$OUT/$2/$1.jsonl" --output_dir "$OUT/$2" --overwrite
}

use_environment
prepare
score untrained ""
finetune
score finetuned output/nano
generate finetuned output/nano
predict smiles2text finetuned output/nano
scimind report --predictions "$OUT/finetuned/text2smiles.jsonl" --metrics "$OUT/finetuned/molecules.json" \
    --losses output/nano --title "Quickstart: molecules from descriptions" --output "$OUT/report.html"
python scripts/compare_scores.py "$OUT/untrained" "$OUT/finetuned"
say "Done. Look at:
$(printf '   %-47s  %s\n' \
    output/nano/loss.png "the loss during training" \
    output/nano/checkpoint "the weights" \
    "$OUT/finetuned/smiles2text.jsonl" "descriptions of molecules" \
    "$OUT/finetuned/text2smiles.jsonl" "molecules from descriptions" \
    "$OUT/finetuned/molecules.json" "their scores" \
    "$OUT/report.html" "the same as a page for your browser, with the molecules drawn")"
say "Next, in this folder:
   source $ENVIRONMENT/bin/activate

   # describe your own molecules, one SMILES per line:
   echo 'CC(=O)Oc1ccccc1C(=O)O' > molecules.txt
   scimind predict --config $PREDICT --task smiles2text --input molecules.txt --output output/answers.txt

   # train on your own CSV with the columns molecule and caption:
   scimind prepare --task smiles2text --input my.csv --output output/my_data --seq_length 160 --eval_fraction 0.1
   scimind finetune --config $FINETUNE --train_dataset output/my_data/my.mindrecord \\
       --eval_dataset output/my_data/my_eval.mindrecord --output_dir output/my_model"
