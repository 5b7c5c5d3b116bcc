"""Stage: look after datasets: check them, convert them between formats, show them."""
