"""Crisis-referral broker: police and health share what the law allows, and can prove it."""

__version__ = "0.1.0"
