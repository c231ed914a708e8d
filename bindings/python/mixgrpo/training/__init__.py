"""`mixgrpo.train`: rollout, rewards and update in a loop, with evaluations, checkpoints, a log and a report."""
