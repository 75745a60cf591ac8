"""What families share whose text encoder is a language model: captions are as long as they are."""

import torch


def compact(
    states: torch.Tensor, mask: torch.Tensor, skip: int, length: int
) -> dict[str, torch.Tensor]:
    """The conditions of captions from a language model's states (B, T, D) and its mask (B, T).

    `embeddings` (B, length, D) are the states of the tokens that are there, but for the first
    `skip`, from the beginning on, then zeros; `mask` (B, length) says where they are.
    """
    embeddings = states.new_zeros(len(states), length, states.shape[2])
    kept = torch.zeros(len(states), length, dtype=torch.bool, device=states.device)
    for row, (own, there) in enumerate(zip(states, mask.bool())):
        found = own[there][skip : skip + length]
        embeddings[row, : len(found)] = found
        kept[row, : len(found)] = True
    return {"embeddings": embeddings, "mask": kept}
