"""A real, tiny Llava with random weights."""

import torch

WORDS = (
    "<pad> <unk> <s> </s> <image> a red blue couch room with describe yes no this user assistant :"
)
TEMPLATE = (
    "user : {% for part in messages[0]['content'] %}"
    "{% if part['type'] == 'image' %}<image> {% else %}{{ part['text'] }} {% endif %}"
    "{% endfor %}assistant :"
)
SIZE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
SIZE |= {"num_attention_heads": 2}


def write(folder):
    """Write it into a folder, and return that as a text."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.set_num_threads(1)
    torch.manual_seed(0)
    vocabulary = {word: number for number, word in enumerate(WORDS.split())}
    splitter = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    splitter.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = {"pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=splitter, additional_special_tokens=["<image>"], **special
    )
    text = {"model_type": "llama", "vocab_size": len(vocabulary), "num_key_value_heads": 2}
    text |= {"initializer_range": 0.5, "max_position_embeddings": 128}
    text |= {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    vision = {"model_type": "clip_vision_model", "image_size": 16, "patch_size": 8}
    config = LlavaConfig(
        vision_config=vision | SIZE,
        text_config=text | SIZE,
        image_token_index=vocabulary["<image>"],
    )
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}),
        tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        chat_template=TEMPLATE,
        num_additional_image_tokens=1,
    ).save_pretrained(folder)
    return str(folder)
