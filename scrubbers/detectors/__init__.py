"""What finds personal data by its shape, one module a family; each exports DETECTORS."""
