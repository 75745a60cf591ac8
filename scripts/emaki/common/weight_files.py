"""Names of the files with weights, as diffusers and transformers write and read them."""

DIFFUSERS = "diffusion_pytorch_model.safetensors"
TRANSFORMERS = "model.safetensors"
LORA = "pytorch_lora_weights.safetensors"

# within the folder of a pipeline
UNET = f"unet/{DIFFUSERS}"
UNET_PICKLE = "unet/diffusion_pytorch_model.bin"
NON_EMA_UNET = "unet/diffusion_pytorch_model.non_ema.safetensors"
VAE = f"vae/{DIFFUSERS}"
TEXT_ENCODER = f"text_encoder/{TRANSFORMERS}"
