"""Training's losses, optimiser and one whole step in PyTorch, and the fixture `training.safetensors`.

    python training.py               write training.safetensors beside this script
    python training.py --out FILE    write it elsewhere (the same bytes each time)

Needs torch, numpy and safetensors, and network.py beside it. Everything is computed in 64 bits from
inputs that are exact in 32 bits, then rounded once to 32.

Layout of training.safetensors (float32; labels are +1, -1, 0 = unknown)

    ranking.scores, .labels [N,L], .loss [1], .gradient [N,L]
        photos with ties between labels, pairs exactly at the margin, no positive, no negative, all
        unknown; a label that is unknown in the whole batch
    photo_ranking.loss [1], .gradient [N,L]
        of the same scores and labels, across the photos of each label
    distillation.responses, .targets [R,T], .loss [1], .gradient [R,T]
    adam.start [3,4], .gradients [10,3,4], .after [10,3,4], .other [10,3,4]
        torch.optim.Adam(lr=0.01, weight_decay=0.1), and the same with betas (0.5, 0.99)
    step.regions [N,R,h,w], .global [N,G], .labels [N,L], .label_vectors [L,D],
    step.teacher_vectors [T,D], .places [S], .targets [S,T]
        the inputs of one step; places count the batch's N·P regions
    step.<variant>.before.<tensor>, .after.<tensor>
        weights and running statistics around one step of Adam (lr 0.01, weight decay 0.05) on
        ranking + 0.5 photo ranking + 10 distillation, every
        dropout at zero; biam with a shortcut
    step.<variant>.gradient.<tensor>, .losses [4]
        gradients of all weights; ranking, photo ranking, distillation, total
"""

import argparse
import dataclasses
import pathlib

import torch
from network import FIXTURE_SIZES, PRESETS, Network, build, random_weights, uniform
from safetensors.torch import save_file

WEIGHT = 10.0
PHOTO_WEIGHT = 0.5
PHOTOS, LABELS, CLASSES, GRID, SAMPLED = 3, 8, 9, (4, 5), 7


def row_losses(scores, labels):
    """Eq. 10 for each row with the matrix of all pairs: simple and slow."""
    margin = 1 + scores[:, None, :] - scores[:, :, None]  # [photo, positive, negative]
    pairs = (labels > 0)[:, :, None] & (labels < 0)[:, None, :]
    violation = torch.relu(margin) * pairs
    count = (violation > 0).sum(dim=(1, 2))
    return violation.sum(dim=(1, 2)) / (count + 1e-8)


def ranking_loss(scores, labels):
    return row_losses(scores, labels).mean()


def photo_ranking_loss(scores, labels):
    has_both = ((labels > 0).any(dim=0) & (labels < 0).any(dim=0)).sum()
    return row_losses(scores.T, labels.T).sum() / has_both


def distillation(responses, targets):
    return 1 - (responses * targets).sum() / (responses.norm() * targets.norm())


def random_labels(name, shape):
    numbers = uniform(name, shape, 0.0, 1.0)
    return torch.where(numbers < 0.3, 1.0, torch.where(numbers < 0.8, -1.0, 0.0))


def ranking_tensors(loss_of, scores, labels):
    leaf = scores.double().requires_grad_()
    loss = loss_of(leaf, labels)
    loss.backward()
    return {"loss": loss[None], "gradient": leaf.grad}


def ranking_inputs():
    scores = uniform("ranking.scores", (7, 9), -1.5, 1.5)
    labels = random_labels("ranking.labels", (7, 9))
    scores[1] = (scores[1] * 2).round() / 2  # ties, and pairs exactly at the margin
    labels[1] = torch.tensor([1, -1, 1, -1, 0, -1, 1, -1, -1])
    labels[2][labels[2] > 0] = -1  # no positive
    labels[3][labels[3] < 0] = 0  # no negative
    labels[4] = 0  # nothing known
    labels[:, 8] = 0  # a label that is unknown everywhere
    scores[5] = labels[5] * 3  # nothing violates
    return scores, labels


def distillation_tensors():
    responses = uniform("distillation.responses", (6, 11), -1.0, 2.0)
    targets = uniform("distillation.targets", (6, 11), -3.0, 4.0)
    leaf = responses.double().requires_grad_()
    loss = distillation(leaf, targets.double())
    loss.backward()
    return {
        "responses": responses,
        "targets": targets,
        "loss": loss[None],
        "gradient": leaf.grad,
    }


def adam_tensors():
    start = uniform("adam.start", (3, 4), -1.0, 1.0)
    gradients = uniform("adam.gradients", (10, 3, 4), -1.0, 1.0)
    gradients[4] = 0
    tensors = {"start": start, "gradients": gradients}
    for name, betas in (("after", (0.9, 0.999)), ("other", (0.5, 0.99))):
        weight = start.double().requires_grad_()
        optimiser = torch.optim.Adam([weight], lr=0.01, betas=betas, weight_decay=0.1)
        after = []
        for gradient in gradients.double():
            weight.grad = gradient
            optimiser.step()
            after.append(weight.detach().clone())
        tensors[name] = torch.stack(after)
    return tensors


def step_inputs(config):
    def normed(name, count):
        vectors = uniform(name, (count, config.label_channels), -1.0, 1.0)
        return vectors / vectors.norm(dim=1, keepdim=True)

    regions = GRID[0] * GRID[1]
    return {
        "regions": uniform("step.regions", (PHOTOS, config.region_channels, *GRID), -1.5, 1.5),
        "global": uniform("step.global", (PHOTOS, config.global_channels), 0.0, 1.0),
        "labels": random_labels("step.labels", (PHOTOS, LABELS)),
        "label_vectors": normed("step.label_vectors", LABELS),
        "teacher_vectors": normed("step.teacher_vectors", CLASSES),
        "places": torch.tensor([(i * 17 + 3) % (PHOTOS * regions) for i in range(SAMPLED)]).float(),
        "targets": uniform("step.targets", (SAMPLED, CLASSES), -2.0, 2.0),
    }


def network_state(network, prefix):
    state = network.state_dict()
    return {
        f"{prefix}.{name}": tensor.clone()
        for name, tensor in state.items()
        if not name.endswith("num_batches_tracked")
    }


def step_tensors(config, variant, inputs):
    network = build(config, variant, random_weights(Network(config, variant), f"step.{variant}"))
    network.train()
    tensors = network_state(network, "before")
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01, weight_decay=0.05)
    wide = {name: tensor.double() for name, tensor in inputs.items()}
    outputs = network(wide["regions"], wide["global"], wide["label_vectors"])
    ranking = ranking_loss(outputs["scores"], inputs["labels"])
    across = photo_ranking_loss(outputs["scores"], inputs["labels"])
    regions = outputs["e_f"].flatten(2).transpose(1, 2).flatten(0, 1)[inputs["places"].long()]
    responses = regions @ network.classifier(wide["teacher_vectors"]).T
    distilled = distillation(responses, wide["targets"])
    total = ranking + PHOTO_WEIGHT * across + WEIGHT * distilled
    total.backward()
    tensors |= {f"gradient.{name}": weight.grad for name, weight in network.named_parameters()}
    optimiser.step()
    tensors |= network_state(network, "after")
    tensors["losses"] = torch.stack([ranking, across, distilled, total])
    return tensors


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = pathlib.Path(__file__).with_name("training.safetensors")
    parser.add_argument("--out", type=pathlib.Path, default=beside, metavar="FILE")
    path = parser.parse_args().out
    torch.set_num_threads(1)
    config = dataclasses.replace(PRESETS["authors"], **FIXTURE_SIZES)
    inputs = step_inputs(config)
    scores, labels = ranking_inputs()
    groups = {
        "ranking": {"scores": scores, "labels": labels}
        | ranking_tensors(ranking_loss, scores, labels),
        "photo_ranking": ranking_tensors(photo_ranking_loss, scores, labels),
        "distillation": distillation_tensors(),
        "adam": adam_tensors(),
        "step": inputs,
        "step.standard": step_tensors(config, "standard", inputs),
        "step.biam": step_tensors(dataclasses.replace(config, shortcut=True), "biam", inputs),
    }
    tensors = {
        f"{group}.{name}": tensor.detach().float().contiguous()
        for group, named in groups.items()
        for name, tensor in named.items()
    }
    save_file(tensors, path)
    print(f"{path}: {len(tensors)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
