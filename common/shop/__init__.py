"""What the services share of the shop itself: an order's content, money, references, and the five services' names."""
