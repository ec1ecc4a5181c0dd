"""The privacy harness: journeys, canaries, search, verdict."""
