"""What tests share: fakes, harnesses, references and builders of model folders."""
