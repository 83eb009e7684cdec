"""What a person meets: sign-in page, session, account page; and the authentication API for trusted back ends."""
