"""Detection: a YOLO detector per replicate, its boxes, and one score per image made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search_spaces.errors import StudyError
from trainables.detection.quiet import import_ultralytics

if TYPE_CHECKING:
    from trainables.data import JobData
    from trainables.task import Job, Run


class DetectionTask:
    """YOLO detectors of Ultralytics, offline; yolov5n … yolov5x are its anchor-free YOLOv5u.

    RT-DETR is left out: Ultralytics gives it a data set, a trainer, a loss by matching and a validator of its own and
    scores it without suppression, and its sampling on a GPU has no deterministic backward pass.
    """

    def features(self, job: Job, data: JobData, run: Run) -> None:
        """There is no such job."""
        raise StudyError(f"Job {job['key']}: detection has no features to share; only radiomics arms have.")

    def pretrain(self, job: Job, data: JobData, run: Run) -> None:
        """Train a detector of one class on a corpus with boxes."""
        import_ultralytics()
        from trainables.detection.training import pretrain

        pretrain(job, data, run)

    def fit(self, job: Job, data: JobData, run: Run) -> None:
        """Train one replicate or tuning trial."""
        import_ultralytics()
        from trainables.detection.training import fit

        fit(job, data, run)

    def predict(self, job: Job, data: JobData, run: Run) -> None:
        """Box and score every image with a trained replicate."""
        import_ultralytics()
        from trainables.detection.prediction import predict

        predict(job, data, run)

    def explain(self, job: Job, data: JobData, run: Run) -> None:
        """Map what the most confident box of each image rests on."""
        import_ultralytics()
        from trainables.detection.explaining import explain

        explain(job, data, run)
