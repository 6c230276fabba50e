"""A reader study: readers who rate the same cases in several modalities, for example without and with AI."""

from evaluation.readers.loading import RATINGS, load_readers, load_truth
from evaluation.readers.study import ReaderStudy, reader_study

__all__ = ["RATINGS", "ReaderStudy", "load_readers", "load_truth", "reader_study"]
