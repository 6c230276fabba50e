"""What shapes an ingestion beside the image files: settings and the salt of the patient hashes."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from cohorts.radiograph import DECODING
from cohorts.sources.listing import Listing


@dataclass(frozen=True)
class Recipe:
    """What shapes an ingestion beside the files themselves."""

    name: str
    size: int
    salt: bytes = field(repr=False)
    shared_patients: bool
    source: dict[str, Any]

    def patient(self, patient_id: str) -> str:
        """The keyed hash that stands for a patient from here on."""
        return self.hash(patient_id if self.shared_patients else f"{self.name}/{patient_id}")[:16]

    def hash(self, text: str) -> str:
        """HMAC-SHA256 with the study's salt, as hex digits."""
        return hmac.new(self.salt, text.encode(), hashlib.sha256).hexdigest()

    @property
    def pixel_settings(self) -> dict[str, Any]:
        """What shapes stored pixels: part of the images' fingerprint."""
        return {"size": self.size, "decoding": DECODING}

    def settings(self, listing: Listing) -> dict[str, Any]:
        """Everything an ingestion depends on but the image files; ids and labels as one keyed hash."""
        rows = json.dumps([listing.rows.rows(), listing.boxes.rows()])
        patient_ids = "shared" if self.shared_patients else "per_center"
        return {**self.pixel_settings, **self.source, "patient_ids": patient_ids, "listing": self.hash(rows)}
