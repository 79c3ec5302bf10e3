"""What is true of referrals and agreements; pure, standard library only."""
