"""Models of transformers' image-text-to-text class, which read a picture and a text."""

from typing import Any

from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor

from emaki.common.devices import device, dtype
from emaki.common.errors import UserError


def load(folder: str, precision: str) -> tuple[Any, Any]:
    """A model, on the GPU where there is one, and its processor, from a local folder.

    The processor pads on the left, so that what the model says goes on from a text's end. Code in
    the folder is never run. Raises UserError if the folder holds no such model or its processor
    needs what is not installed.
    """
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
        model: Any = AutoModelForImageTextToText.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            use_safetensors=True,
            dtype=dtype(precision),
        )
    except (OSError, ValueError, ImportError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{folder} cannot be read as an image-text-to-text model: {reason}"
        ) from None
    processor.tokenizer.padding_side = "left"
    return model.eval().to(device()), processor


def place_picture(processor: Any, prompt: str) -> str:
    """A prompt with the picture's place in it, as the model was trained to read it."""
    if not processor.chat_template:
        return f"{getattr(processor, 'image_token', '')}{prompt}"
    content = [{"type": "image"}, {"type": "text", "text": prompt}]
    return processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True
    )
