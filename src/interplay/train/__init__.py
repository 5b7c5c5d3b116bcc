"""Training: LoRA fine-tuning with alignment losses, and the pretraining of tiny backbones on the world."""
