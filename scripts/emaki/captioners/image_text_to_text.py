"""Captions by a model of transformers' image-text-to-text class (Llava, Idefics3, ...)."""

import torch
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor

from emaki.captioners.generation import PRECISIONS, nucleus
from emaki.common.errors import UserError
from emaki.common.model_folders import device


class Captioner:
    """A model and its processor from a local folder, asked for a caption with `prompt`.

    Decodes at most `max_new_tokens` tokens, greedily or with `num_beams`; with `top_p` it samples
    from that nucleus, seeded by each picture's own key. Code in the folder is never run. Raises
    UserError if the folder holds no such model or its processor needs what is not installed.
    """

    def __init__(self, model, prompt, max_new_tokens=60, num_beams=1, top_p=None, precision="fp32"):
        try:
            config = AutoConfig.from_pretrained(model, local_files_only=True)
            self.processor = AutoProcessor.from_pretrained(model, local_files_only=True)
            self.model = AutoModelForImageTextToText.from_pretrained(
                model,
                config=config,
                local_files_only=True,
                use_safetensors=True,
                dtype=PRECISIONS[precision],
            )
        except (OSError, ValueError, ImportError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"{model} cannot be read as an image-text-to-text model: {reason}"
            ) from None
        self.device = device()
        self.model.eval().to(self.device)
        self.processor.tokenizer.padding_side = "left"  # a caption goes on from the prompt's end
        self.prompt = self._prompt(prompt)
        self.top_p = top_p
        self.settings = {
            "max_new_tokens": max_new_tokens,
            "num_beams": num_beams,
            "do_sample": False,
        }

    @torch.inference_mode()
    def caption(self, images, keys):
        """The captions of RGB images, "" where the model says nothing."""
        inputs = self.processor(
            text=[self.prompt] * len(images),
            images=[[image] for image in images],
            padding=True,
            return_tensors="pt",
        ).to(self.device, self.model.dtype)
        noise = {"logits_processor": nucleus(keys, self.top_p)} if self.top_p else {}
        tokens = self.model.generate(**inputs, **noise, **self.settings)
        begun = 0 if self.model.config.is_encoder_decoder else inputs.input_ids.shape[1]
        return self.processor.batch_decode(tokens[:, begun:], skip_special_tokens=True)

    def _prompt(self, prompt):
        """The prompt with the picture's place in it, as the model was trained to read it."""
        if not self.processor.chat_template:
            return f"{getattr(self.processor, 'image_token', '')}{prompt}"
        content = [{"type": "image"}, {"type": "text", "text": prompt}]
        return self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
