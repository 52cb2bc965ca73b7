"""What training draws its clips and pictures from."""
