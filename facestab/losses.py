"""The losses of functional/losses as modules, for configuration."""

import math

import torch
from torch import Tensor, nn

from facestab.functional import losses as functional
from facestab.types import FramePairBatch, ImageBatch, SegOutput


class CrossEntropy(nn.Module):
    """Mean cross-entropy over the pixels that are not ignored, see `functional.losses.cross_entropy`."""

    def forward(self, logits_BKHW: Tensor, labels_BHW: Tensor) -> Tensor:
        """The loss [nats], a scalar >= 0; 0 when every pixel is ignored."""
        return functional.cross_entropy(logits_BKHW, labels_BHW)


class TemporalLoss(nn.Module):
    """L = strength * consistency + w * (J1 + J2) + anchor * J of labelled images, if there are any.

    With `Consistency("l1", "features")`, strength 1, balance 0 and anchor 0 it is the loss of patent CN110427899A.

    Args:
        w: weight of the two cross-entropies, >= 0.
        consistency: maps (output_1, output_2, pair, class_share_K) to a scalar, see `consistency.Consistency`; None
            learns from the labels alone, and gives the features no gradient.
        strength: weight of the consistency, >= 0.
        balance: from 0, which weighs all pixels alike in J, to 1, which weighs all classes alike; more than 0 needs
            `set_class_share`.
        anchor: weight of the cross-entropy of labelled images beside the pairs, >= 0: what the network knows of stills
            stays.
        adjustment: from 0, where the network overstates rare classes as far as `balance` makes them heavier, to 1,
            where the weights steer what it learns and not how often it answers a class: the loss sees
            logits + adjustment * log(class weight), and what is predicted is free of it (after Menon et al., Long-tail
            learning via logit adjustment, ICLR 2021).

    Raises:
        ValueError: when w, strength, balance, anchor or adjustment is outside its range.
    """

    class_share_K: Tensor | None
    class_weight_K: Tensor | None

    def __init__(
        self,
        w: float,
        consistency: nn.Module | None,
        strength: float = 1.0,
        balance: float = 0.0,
        anchor: float = 0.0,
        adjustment: float = 0.0,
    ) -> None:
        super().__init__()
        for name, value in (("w", w), ("strength", strength), ("anchor", anchor)):
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name}: a finite number >= 0 is needed, got {value}")
        for name, value in (("balance", balance), ("adjustment", adjustment)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name}: a number from 0 to 1 is needed, got {value}")
        self.w = w
        self.consistency = consistency
        self.strength = strength
        self.balance = balance
        self.anchor = anchor
        self.adjustment = adjustment
        # of the data, not of the network: not in checkpoints
        self.register_buffer("class_share_K", None, persistent=False)
        self.register_buffer("class_weight_K", None, persistent=False)

    def set_class_share(self, share_K: Tensor) -> None:
        """Tell how much of the labelled pixels each class has.

        Args:
            share_K: numbers >= 0 in any unit, such as counts of pixels.

        Raises:
            ValueError: when it is not one such number for each class, or all are 0.
        """
        share_K = torch.as_tensor(share_K).double()
        if share_K.ndim != 1 or not (torch.isfinite(share_K).all() and (share_K >= 0).all() and share_K.sum() > 0):
            raise ValueError(f"class shares: a number >= 0 for each class is needed, one of them > 0, got {share_K}")
        self.class_share_K = (share_K / share_K.sum()).float()
        self.class_weight_K = functional.class_weights(share_K, self.balance).float() if self.balance else None

    def forward(
        self, output_1: SegOutput, output_2: SegOutput, pair: FramePairBatch, ramp: float = 1.0
    ) -> dict[str, Tensor]:
        """The parts of L by name, and L.

        Args:
            output_1: of the first frames.
            output_2: of the second frames.
            pair: the frames' labels, and the flow between them.
            ramp: factor on the strength, for a term that comes in over the first steps.

        Returns:
            Scalars consistency (unweighted; 0 without one), cross_entropy_1, cross_entropy_2, cross_entropy (their
            sum) and loss.

        Raises:
            ValueError: when class shares are needed and not set.
        """
        output_1, output_2 = self._adjusted(output_1), self._adjusted(output_2)
        first, second = (
            self._cross_entropy(
                output.logits_BKHW, pair.labels_BTHW[:, t], pair.runner_up_BTHW[:, t], pair.share_BTHW[:, t]
            )
            for t, output in enumerate((output_1, output_2))
        )
        if self.consistency is None:
            consistency = first.new_zeros(())
        else:
            share_K = self.class_share_K
            share_K = None if share_K is None else share_K.to(first.device)
            consistency = self.consistency(output_1, output_2, pair, share_K)
        return functional.combine(consistency, first, second, w=self.w, strength=ramp * self.strength)

    def labelled(self, logits_BKHW: Tensor, images: ImageBatch) -> Tensor:
        """J of labelled images [nats], with the class weights of the pairs.

        Raises:
            ValueError: when class shares are needed and not set.
        """
        return self._cross_entropy(self._shifted(logits_BKHW), images.labels_BHW, *images.soft)

    def _adjusted(self, output: SegOutput) -> SegOutput:
        return output._replace(logits_BKHW=self._shifted(output.logits_BKHW))

    def _shifted(self, logits_BKHW: Tensor) -> Tensor:
        weight_K = self.class_weight_K
        # the cross-entropy says what is wrong with weights that are missing or too few
        if not self.adjustment or weight_K is None or len(weight_K) != logits_BKHW.shape[1]:
            return logits_BKHW
        shift_K = self.adjustment * weight_K.log()
        return logits_BKHW + shift_K.to(logits_BKHW)[:, None, None]

    def _cross_entropy(
        self,
        logits_BKHW: Tensor,
        labels_BHW: Tensor,
        runner_up_BHW: Tensor | None = None,
        share_BHW: Tensor | None = None,
    ) -> Tensor:
        weight_K = self.class_weight_K
        if self.balance and weight_K is None:
            raise ValueError("class shares: set_class_share is needed before a loss with balance > 0, got none")
        weight_K = None if weight_K is None else weight_K.to(logits_BKHW.device)
        return functional.cross_entropy(logits_BKHW, labels_BHW, runner_up_BHW, share_BHW, weight_K)

    def extra_repr(self) -> str:
        """The weights, for print(module)."""
        weights = f"w={self.w}, strength={self.strength}, balance={self.balance}, anchor={self.anchor}"
        return f"{weights}, adjustment={self.adjustment}"
