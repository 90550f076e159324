"""What a release is made of: the packages of each image, what is known against them, and the chart that names them."""
