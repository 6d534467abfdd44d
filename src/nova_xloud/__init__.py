"""Nova-xloud's builder: Nova plus our changes, as a tree, a patch series and packages."""
