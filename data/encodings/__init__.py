"""How formats write masks: COCO's text of run lengths, and the bits of Label Studio's brushes."""
