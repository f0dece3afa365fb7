"""The live viewer: draws Results and asks for cuts; computes no physics."""
