"""BigGAN-deep, U²-Net and ResNet-50, which others trained."""
